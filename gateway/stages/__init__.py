"""The stages of a request, one module each, which know nothing of one another.

`pipeline/request_life.py` calls them in their order.
The order is: identify, limit, prepare, (the upstream, or an endpoint of the gateway), normalize, response_headers,
settle, record. error_reply makes the reply of a request that fails on the way.
"""
