"""A service written with FastAPI, in debug mode."""

import socket

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field


class Line(BaseModel):
    sku: str
    quantity: int = Field(gt=0)


class Order(BaseModel):
    name: str
    lines: list[Line]


app = FastAPI(debug=True)


@app.get("/v1/orders/{number}")
def read(number: int) -> dict[str, int]:
    if number > 7:
        raise HTTPException(404, f"No order {number}")
    return {"number": number}


@app.post("/v1/orders", status_code=201)
def create(order: Order) -> dict[str, str]:
    return {"name": order.name}


@app.get("/v1/crash")
def crash() -> None:
    raise RuntimeError("cannot reach postgres://app:s3cret@db:5432/orders")


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])
