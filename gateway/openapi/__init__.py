"""OpenAPI documents, in and out: read, compiled into checks of requests and replies, and made from a configuration.

documents       files, YAML or JSON, and the references between them; every problem with its position
schemas         schemas of Swagger 2, OpenAPI 3.0 and 3.1 -> JSON Schema 2020-12, bundled
operations      OpenAPI 3.0 and 3.1 -> `ApiDocument`, the compiled form that all others use
swagger2        the same for Swagger 2
sample_values   schemas -> values that fit them
compile         what routes want of documents -> a `RequestContract` for each (request_contract: what is wrong with a
                request; validator: one compiled schema; findings: the words; decoding, json_body: parameters, forms and
                JSON as values; strictness: schemas as they hold for requests or replies;
                schema_bounds: those that would never end)
publish         a configuration -> one document of its routes, as callers see them, and the page that shows it
importing       operations -> routes of a configuration; merging keeps what somebody has changed in them
drift           what replies of services have to be like, and how they differ (a room of its own)
load            `load_document`: reads a file, and reports everything that is wrong with it
"""
