"""Configurations whose routes have contracts, for tests."""

from pathlib import Path
from textwrap import dedent

from gateway.openapi.compile import check_contracts, compile_contracts
from gateway.openapi.request_contract import RequestContract
from gateway.settings import Config, load

DOCUMENTS = Path(__file__).parent / "documents"
ROUTE = "{id: all, upstream: pets, match: {path: /v1/pets, methods: [GET, POST]}, request: %s}"


def loaded(folder: Path, *routes: str, **files: str) -> Config:
    """A configuration with these routes, checked as `gateway check` does, beside the document of pets."""
    written = "\n".join(f"  - {route}" for route in routes)
    (folder / "pets.yaml").write_text((DOCUMENTS / "pets.yaml").read_text())
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(dedent(text))
    file = folder / "gateway.yaml"
    file.write_text(
        f'version: 1\nupstreams: [{{id: pets, targets: [{{url: "http://127.0.0.1:9"}}]}}]\nroutes:\n{written}\n'
    )
    return load(file, {}, more_checks=check_contracts)


def contract(folder: Path, request: str, **files: str) -> RequestContract:
    """The contract of one route whose `request` is that."""
    return compile_contracts(loaded(folder, ROUTE % request, **files)).requests["all"]
