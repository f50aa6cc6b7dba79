"""settings/checks/semantics.py: what keys and workers need elsewhere."""

from tests.yaml_files import added


def test_keys_without_a_proof_a_store_or_a_listener() -> None:
    assert added("keys: [{id: a}]") == ["4:8 keys[0].secret_sha256: missing; `gateway keys create` prints one"]
    assert added("keys: {store: redis}") == [
        "4:15 keys.store: there is no Redis to keep keys in; add `redis: {url: …}`"
    ]
    assert added("server: {self_service_path: /key}") == [
        "4:29 server.self_service_path: keys that stand in files cannot rotate; write `keys: {store: redis}`"
    ]
    assert added("keys: [{id: a, certificate_subject: CN=a}]") == [
        "4:37 keys[0].certificate_subject: no listener asks clients for certificates; set `tls.client_ca` of one"
    ]
    (workers,) = added("server: {workers: 2}")
    assert "server.workers: 2 workers would count by themselves" in workers
