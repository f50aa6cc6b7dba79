"""An API gateway: it knows each caller by API key, limits it, and speaks one contract to all, whatever is behind.

The life of a request
    A socket becomes an `Exchange` (edge), `pipeline.Gateway` takes it through the stages, a `Reply` goes back (edge):

        door       edge/request_head.py         what the parser lets through and HTTP forbids: 4xx, 501, 505
        match      table/routes.py      method and path -> Route: 404, 405. Where another reading of the path leads to a
                                        route that asks for more, table/reading_law.py refuses: 400, 403, 405
        identify   stages/identify.py   key and organisation -> Caller: 401, 403. Keys stand in the configuration, or in Redis:
                                        then keystore/cache.py remembers those in use
        limit      stages/limit.py      one Decision for all windows and meters of the Claim, in one round trip: 429
        prepare    stages/prepare.py    Exchange -> Call: safe path, clean fields, who calls, small bodies read first
        send       upstream/target.py     Call -> Answer, over a pool of kept connections: 503. Of several targets
                                        upstream/upstream.py chooses one, and another if that does not answer
        normalize  stages/normalize.py  Answer -> Reply in the envelope, spliced byte for byte
        tell       stages/limits_endpoint.py       or: the caller's own limits, where no upstream is asked
        refuse     stages/error_reply.py     or: a GatewayError -> Reply in the envelope
        redirect   stages/redirect.py   or: the same URL with https, on a listener for nothing else
        dress      stages/response_headers.py      request id, limits, what the route sets and what caches may do, on every reply
        settle     stages/settle.py     what the call has taken from quotas is given back, unless it succeeded
        record     stages/record.py     counts, the access line and the ring of the last errors, whatever became of it

    An error is raised where it is found and becomes a reply in one place, `Gateway._answer`. Every reply is recorded.

Floors (each imports only what stands below it; import-linter checks)
        __main__ > cli > supervisor      programs: commands, the process that owns sockets, shared memory and configuration
        app                              one worker, forked by it
        edge | admin                     the two listeners, on aiohttp
        pipeline > stages                the life of a request; stages know nothing of one another
        exchange > table                 one request; and the configuration compiled, decided before any request
        remote | observe                 what is at the other end of a socket; metrics, log, trace
        settings                         the YAML file: schema, reading, every problem with line and column
        system                           what a process owes the operating system: signals, standard input and output
        kernel                           pure: no sockets, no clock, no environment

    Time, entropy and the environment come in as parameters (`Clock`, `Ids`, `environ`). Everything that can be decided
    when the configuration is loaded is decided then and hangs ready on the `Route` and the `Caller`.

Departures from the usual
    - `edge` keeps aiohttp's parser, queue and back-pressure, and replaces its request loop: no Request, Response, writer
      or task per request. That costs a third of what the loop costs, closes what aiohttp leaves open (trailers, half-read
      bodies, slow heads), and makes malformed requests ordinary exchanges that are answered and recorded.
    - The way to the upstream is our own pool on httptools: one write, one future and no timer per call.
    - Replies are never re-encoded: a backend's JSON is checked and spliced in, so that every digit survives.
    - Limits are whole microseconds (GCRA): Redis, memory and the model in `kernel/limits/token_bucket.py` agree to the token.
    - Metrics are slots in shared memory, the last errors a ring beside them (`observe/recent_errors.py`); the supervisor reads them,
      so that no request waits for a scrape, and a worker that dies takes nothing along.
    - While Redis is away nobody waits for it: `redis_client/availability.py` says so, `limiter/failure_policy.py` what its limits do then,
      and `limiter/settlements.py` tells it later how calls ended. `limiter/outage.py` keeps what is known and owed meanwhile where it
      outlives the worker, and `supervisor/outage_handover.py` hands it on.
    - `gateway diff` compares configurations compiled, not files: `config_diff/inventory.py` takes each apart into things that have
      names and no secrets, `config_diff/effects.py` says what a change of one means to callers.
    - What is known of targets stands in memory that all workers share (`upstream/shared_state.py`). The first worker of a node makes
      the health checks, not the supervisor: names are looked up in threads, and a process with threads cannot fork.
    - Workers are forked by a supervisor of one thread and inherit its sockets, one each: a queue of connections outlives
      whoever accepts from it, so that reloads, crashes and new releases lose none that waits.

Glossary
    Exchange      one request and all that becomes of it         Reply      what goes back to the client
    Caller        a key on behalf of an organisation, or a visitor's address on an open route
    Proof         what a caller shows to be a key, hashed: a secret, or the subject of a certificate
    Route, RouteTable   one way through the gateway; all of them
    Call, Answer  what goes to an upstream, what comes back
    Upstream, Target   a service; one of its addresses, with a pool of connections
    Board         what is known of targets, for all processes of a node    Circuit   what stops calls to an upstream that fails
    Fault         a row of the catalogue of errors               GatewayError   one occurrence of it
    Window        one limit, as it is counted                    Bucket   what is left of it to one owner
    Meter         one quota, or one limit of concurrency: a tally (a number) or a set of units (each ends by itself)
    Posting       what a call does to a meter                    Move     one change of a meter in its store
    Claim         what a call needs to be let through: tokens of windows, and postings
    Decision      the verdict on a claim                         Hold     what was taken, until it is known what became of the call
    Outline       a configuration taken apart, to be compared
"""

__version__ = "0.1.0"
