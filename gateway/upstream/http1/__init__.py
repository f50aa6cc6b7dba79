"""HTTP/1.1 as it is spoken to a service: one connection (`connection`), what is written to it and read from it.

`framing` has the rules of messages. The usual reply is read by `whole_response`, any other one by `response_parser`;
`request_body` and `response_stream` carry the bodies, within the `deadlines` of the call.
"""
