"""Takes requests through the gateway without sending them: `gateway explain`, `gateway test` and `gateway replay`.

The stages are those of `gateway.pipeline.Gateway`, on the same compiled table. Only the ends are replaced: a request
is made of text and not read from a socket (`request`), an upstream keeps its call and does not send it (`table`), a
running gateway's limiter is asked at no cost (`limiter`), and nothing is recorded (`run`). So no rule has a second copy
here.
"""
