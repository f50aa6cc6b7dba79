"""A Flask service. One path validates with marshmallow, one with flask-smorest (webargs). Errors show their traces."""

# mypy: disable-error-code="import-untyped, untyped-decorator"
# flask-smorest has no types.

import traceback
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask_smorest import Api, Blueprint
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.serving import make_server


class Line(Schema):
    sku = fields.String(required=True)
    quantity = fields.Integer(required=True, validate=validate.Range(min=1))


class Order(Schema):
    name = fields.String(required=True)
    lines = fields.List(fields.Nested(Line), required=True)


app = Flask(__name__)
app.config |= {"API_TITLE": "Orders", "API_VERSION": "v1", "OPENAPI_VERSION": "3.0.2", "PROPAGATE_EXCEPTIONS": False}
smorest = Blueprint("smorest", "smorest", url_prefix="/v1/smorest")


@smorest.route("/orders", methods=["POST"])
@smorest.arguments(Order)
def create_smorest(order: dict[str, Any]) -> Response:
    return jsonify(name=order["name"])


@app.get("/v1/orders/<int:number>")
def read(number: int) -> Response:
    if number > 7:
        abort(404)
    return jsonify(number=number)


@app.post("/v1/orders")
def create() -> tuple[Response, int]:
    try:
        order = Order().load(request.get_json())
    except ValidationError as error:
        return jsonify(error.messages), 422
    return jsonify(name=order["name"]), 201


@app.get("/v1/crash")
def crash() -> Response:
    raise RuntimeError("cannot reach postgres://app:s3cret@db:5432/orders")


@app.errorhandler(RuntimeError)
def traced(error: RuntimeError) -> tuple[Response, int]:
    return jsonify(
        message=str(error), error=traceback.format_exc(), details=[{"text": traceback.format_exc().replace("\n", " ")}]
    ), 500


Api(app).register_blueprint(smorest)

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
