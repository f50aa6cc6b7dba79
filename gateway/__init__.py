"""An API gateway: it knows each caller by API key, limits it, and answers in one format, whatever service is behind.

The life of a request
    A socket becomes an `Exchange` (edge), `pipeline/request_life.py` takes it through the stages, a `Reply` goes back
    (edge):

        check the head     edge/request_head.py       what the parser accepts and HTTP forbids: 4xx, 501, 505
        match              table/route_table.py       method and path -> Route: 404, 405. If another reading of the path
                                                      leads to a stricter route, table/reading_law.py
                                                      refuses: 400, 403, 405
        identify           stages/identify.py         key and organisation -> Caller: 401, 403. Keys are in the
                                                      configuration (table/keyring.py) or in Redis (keystore/cache.py)
        limit              stages/limit.py            one Decision for all windows and meters, in one round trip: 429
        cache              reuse/cache.py             a kept reply, or one call for all who ask now
        prepare            stages/prepare.py          Exchange -> Call: path, header fields, identity, small bodies
        steer              stages/steer.py            what keeps calls together, on routes that ask for it
        repeat             reuse/idempotency.py       the first reply to a call that is sent again: 409, 422
        send               upstream/upstream.py       chooses a target, and another one if that does not answer
                           upstream/target.py         Call -> Answer, over a pool of kept connections: 503
        normalize          stages/normalize.py        Answer -> Reply in the envelope, spliced byte for byte
        limits endpoint    stages/limits_endpoint.py  instead of a call: the caller's own limits
        OpenAPI endpoint   stages/openapi_endpoint.py instead of a call: the document of the routes
        error reply        stages/error_reply.py      instead of an answer: a GatewayError in the envelope
        redirect           stages/redirect.py         instead of all this: the same URL with https
        response headers   stages/response_headers.py request id, limits and the route's own fields, on every reply
        CORS               stages/cors.py             answers preflights; says on every reply which pages may read it
        upgrade            stages/upgrade.py          a handshake that succeeds becomes a tunnel (upstream/tunnel.py)
        settle             stages/settle.py           gives back what the call took from quotas, unless it succeeded
        compress           stages/compress.py         the body in a content coding, where the route says so
        record             stages/record.py           metrics, the access line and the recent errors, however it ended
        count usage        stages/count_usage.py      with `observability.usage`: what the caller is invoiced for
        export spans       stages/export_spans.py     with `observability.traces`: what OpenTelemetry gets to see of it
        capture            capture/capturer.py        with `observability.capture`: the start of what failed, redacted

    A refusal is returned by the step that finds it, and a failure is raised. Both become a reply in one place,
    `pipeline/other_answers.py`. Every reply is recorded.

Layers (each imports only those below it; import-linter checks)
        __main__ > cli > supervisor         commands; the process that owns sockets, shared memory and configuration
        worker                              one worker process
        dry_run                             requests that are explained, tested or replayed, and never sent
        console                             the operator's page, its data and its actions
        edge | admin                        the two listeners, on aiohttp
        pipeline > stages | reuse           the life of a request; stages do not import one another. reuse: replies that
                                            answer more than one request
        history                             the last hour: what workers count, targets, reloads
        capture                             (beside it) what operators may look at of failed exchanges
        records                             (beside these) what is written down about an exchange
        exchange                            one request and all about it
        key_management                      changes of keys in Redis, by commands and over HTTP
        usage | config_diff | keystore      reports of limits; `gateway diff`; keys that are kept in Redis
        accounting                          (beside these) usage by day for invoices, `gateway usage`
        lint                                warnings of `gateway check`
        fleet                               the gateways that share a Redis know one another
        tail                                access lines for those who follow them
        openapi                             (beside these) OpenAPI documents, in and out
        table                               the configuration compiled, decided before any request
        traffic                             how many calls at once, and to which upstream
        audit                               who has changed what
        limiter | upstream | observe        rate limits and quotas; calls to services; metrics, log, trace context
        tracing                             (beside these) spans, and the thread that exports them
        redis_client                        one multiplexed connection for each Redis server
        settings > net > system             the YAML file and its problems; addresses and sockets; signals, files
        kernel                              pure: no sockets, no clock, no environment

    Time, entropy and the environment are parameters (`Clock`, `Ids`, `environ`). What can be decided when the
    configuration is loaded is decided then and stored on the `Route` and the `Caller`.

Design decisions
    - The life of a request is one coroutine. net/coroutine_driver.py runs it in the callbacks of the sockets: it goes
      on within the callback that has brought what it waited for. Only what needs asyncio's own futures, streams and
      time-outs goes on in a task, through the same code. Steps that call one another instead need more instructions.
    - edge keeps aiohttp's parser, queue and back-pressure and replaces its request loop: no Request, Response, writer
      or task for each request. Malformed requests are ordinary exchanges that are answered and recorded.
    - What every request passes through is compiled to machine code by mypyc where somebody can do it: deploy/compile.py
      lists the modules, and system/compiled.py has them imported in place of their sources if they were made of these.
      They do the same with less CPU, and no module asks which of both it is.
    - What a route has no use for costs its requests next to nothing: which routes are plain and which callers
      unrestricted is decided when the configuration is loaded, and refusals that are always the same are made once.
    - upstream is our own connection pool on httptools: one write, one waiter and no timer for each call.
    - Replies are never re-encoded: the JSON of a service is checked and spliced in, so that every digit survives.
    - Limits are whole microseconds (GCRA): Redis, memory and the model in kernel/limits/token_bucket.py agree to the
      token.
    - Metrics are slots in shared memory that the supervisor reads: no request waits for a scrape, and a worker that
      dies loses no counts. The recent errors and the state of targets are in shared memory, too.
    - While Redis is away no request waits for it. limiter/outage.py keeps what is known and owed meanwhile in memory
      that outlives the worker.
    - Workers are forked by a supervisor of one thread and inherit its sockets: connections that wait to be accepted
      outlive reloads, crashes and new releases. Health checks are made by the first worker,
      because name look-ups need threads.
    - What comes from a client or a service costs time linear in its bytes (the law of kernel), and no reading of a path
      gets around a route (the law of table/reading_law.py).

Glossary
    Exchange            one request and everything about it        Reply            what goes back to the client
    Caller              a key on behalf of an organisation, or a client address on an open route
    Route, RouteTable   one entry of `routes`, compiled; all of them
    Call, Answer        what goes to a service, what comes back
    Upstream, Target    a service; one of its addresses, with a pool of connections
    Fault               a row of the catalogue of errors            GatewayError     one occurrence of it
    Window, Bucket      one limit as it is counted; what is left of it for one owner
    Meter               one quota, or one limit of concurrency      MeterUpdate      one change of it in its store
    Claim, Decision     what a call needs to be admitted; the verdict
    Reservation         what was taken until it is known how the call ended
"""

__version__ = "0.1.0"
