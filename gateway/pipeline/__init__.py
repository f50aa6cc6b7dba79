"""The life of a request: `request_life` has the stages in their order, and the others what it refers to."""

from gateway.pipeline.request_life import Gateway as Gateway
