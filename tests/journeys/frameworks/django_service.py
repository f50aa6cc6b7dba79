"""A service written with Django REST framework, in debug mode."""

# mypy: disable-error-code="import-untyped, misc"
# The framework has no types.

import django
from django.conf import settings

settings.configure(
    DEBUG=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for-tests",  # signs nothing
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
    LOGGING_CONFIG=None,
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402  # Django is set up by then
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.exceptions import NotFound  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402


class Line(serializers.Serializer):
    sku = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1)


class Order(serializers.Serializer):
    name = serializers.CharField()
    lines = Line(many=True)


class Orders(APIView):
    def get(self, request: Request, number: int) -> Response:
        if number > 7:
            raise NotFound(f"No order {number}")
        return Response({"number": number})

    def post(self, request: Request) -> Response:
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return Response({"name": order.validated_data["name"]}, status=201)


class Crash(APIView):
    def get(self, request: Request) -> Response:
        raise RuntimeError("cannot reach postgres://app:s3cret@db:5432/orders")


urlpatterns = [
    path("v1/orders/<int:number>", Orders.as_view()),
    path("v1/orders", Orders.as_view()),
    path("v1/crash", Crash.as_view()),
]

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, get_wsgi_application(), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
