"""The roles of nginx in the benchmark: the service, the plain proxy, and the gateway in Lua."""

import os
from pathlib import Path

from tests.bench.processes import missing, program
from tests.bench.traffic import Key

MODULES = Path("/usr/lib/nginx/modules")
LUA = Path("/usr/share/lua/5.1")
_GATEWAY_LUA = Path(__file__).parent / "lua"

_MAIN = """
{modules} {user}
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.error.log crit; worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {body}
}}
"""
_SERVICE = r"""
access_log off; default_type application/json; etag off; open_file_cache max=100;
server {{ listen 127.0.0.1:{port} backlog=8192;
  location / {{ return 200 '{kilobyte}'; }}
  location /v1/orders/100b/ {{ return 200 '{hundred}'; }}
  location /v1/orders/enveloped/ {{ return 200 '{enveloped}'; }}
  location /v1/orders/1mb-ten/ {{ root {folder}; rewrite (\d)$ /1mb-$1.json break; }}
  {files}
}}
"""
_FILE = "location /v1/orders/{name}/ {{ root {folder}; rewrite ^ /{name}.json break; }}"
_UPSTREAM = "upstream backend {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 1000000000; }}"
_LISTEN = """listen 127.0.0.1:{port} backlog=8192; listen 127.0.0.1:{tls_port} ssl backlog=8192;
  ssl_certificate {certificate}; ssl_certificate_key {certificate};"""
_PROXY = f"""
access_log {{folder}}/proxy.access.log combined buffer=64k flush=1s;
{_UPSTREAM}
server {{{{ {_LISTEN}
  location / {{{{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffers 64 32k; }}}} }}}}
"""
_LUA = f"""
log_format json escape=json '{{{{"time":"$time_iso8601","id":"$id","method":"$request_method","path":"$uri","status":$status,'
  '"source":"$source","code":"$code","caller":"$caller","organization":"$organization","remaining":"$remaining",'
  '"duration":$request_time,"bytes":$body_bytes_sent,"client":"$remote_addr"}}}}';
access_log {{folder}}/{{name}}.access.log json buffer=64k flush=1s;
lua_package_path "{{lua}}/?.lua;{LUA}/?.lua;;"; lua_package_cpath "{{cpath}};;";
lua_shared_dict metrics 10m; subrequest_output_buffer_size 4m;
init_by_lua_block {{{{ gateway = require "gateway"; gateway.start("{{keys}}", {{redis}}, {{thorough}}) }}}}
{_UPSTREAM}
server {{{{ {_LISTEN}
  location / {{{{
    set $id ""; set $trace ""; set $source upstream; set $code ""; set $caller ""; set $organization ""; set $remaining "";
    content_by_lua_block {{{{ gateway.serve() }}}} log_by_lua_block {{{{ gateway.record() }}}}
  }}}}
  location /service/ {{{{
    internal; proxy_pass http://backend/; proxy_http_version 1.1; proxy_buffers 64 32k;
    proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host; proxy_set_header Forwarded "for=$remote_addr;host=\\"$http_host\\";proto=$scheme";
    proxy_set_header Via "1.1 gateway"; proxy_set_header X-Request-Id $id; proxy_set_header traceparent $trace;
    proxy_set_header X-Caller-Id $caller; proxy_set_header X-Caller-Organization $organization; proxy_set_header X-Caller-Plan standard;
    proxy_set_header Accept-Encoding identity;
  }}}}
}}}}
"""


def json_of(size_bytes: int, number: int = 6) -> str:
    """A JSON object of about so many bytes, at most. Those with different numbers, of one digit, are as long."""
    item = f'{{"id":"{number}d84e126","name":"an order","total":12.5,"paid":true}}'
    return f'{{"items":[{",".join([item] * max(1, (size_bytes - 12) // (len(item) + 1)))}]}}'


def service(folder: Path, port: int) -> list[str]:
    """The command of a service that answers any path below /v1/orders/SIZE, and 1 KB of JSON elsewhere."""
    for name, size_bytes in (("10kb", 10_000), ("100kb", 100_000), ("1mb", 1_000_000)):
        (folder / f"{name}.json").write_text(json_of(size_bytes))
    for number in range(10):
        (folder / f"1mb-{number}.json").write_text(json_of(1_000_000, number))
    request_id = "b3a1a2d4-3a06-4a8f-9a55-07e1f6a8c6a1"
    body = _SERVICE.format(
        port=port,
        folder=folder,
        kilobyte=json_of(1_000),
        hundred=json_of(100),
        enveloped=f'{{"requestId":"{request_id}","status":"SUCCESS","data":{{"result":{json_of(900)}}}}}',
        files="\n  ".join(_FILE.format(name=name, folder=folder) for name in ("10kb", "100kb", "1mb")),
    )
    return _command(folder, "service", body)


def proxy(folder: Path, port: int, tls_port: int, backend: int, certificate: Path) -> list[str]:
    """The command of a plain proxy."""
    return _command(
        folder,
        "proxy",
        _PROXY.format(folder=folder, port=port, tls_port=tls_port, backend=backend, certificate=certificate),
    )


def key_lines(folder: Path, keys: list[Key]) -> Path:
    """A file with the keys, for who cannot read the gateway's configuration."""
    file = folder / "keys.txt"
    file.write_text("".join(f"{key.digest} {key.id} {key.organization} {key.most} {key.per_s}\n" for key in keys))
    return file


def lua(
    folder: Path, port: int, tls_port: int, backend: int, certificate: Path, keys: Path, redis: int, *, thorough: bool
) -> list[str]:
    """Return the command of the gateway in Lua, which parses bodies if `thorough`. SystemExit if it cannot run."""
    modules = [MODULES / "ndk_http_module.so", MODULES / "ngx_http_lua_module.so"]
    cjson = sorted(Path("/usr/lib").glob("*/lua/5.1/cjson.so"))
    for package, there in (
        ("libnginx-mod-http-lua", all(module.exists() for module in modules)),
        ("lua-nginx-redis", (LUA / "nginx" / "redis.lua").exists()),
        ("lua-nginx-string", (LUA / "nginx" / "sha256.lua").exists()),
        ("lua-cjson", bool(cjson)),
    ):
        if not there:
            raise SystemExit(missing(package))
    name = "lua-checked" if thorough else "lua"
    body = _LUA.format(
        folder=folder,
        name=name,
        port=port,
        tls_port=tls_port,
        backend=backend,
        certificate=certificate,
        keys=keys,
        redis=redis,
        thorough=str(thorough).lower(),
        lua=_GATEWAY_LUA,
        cpath=cjson[0].with_name("?.so"),
    )
    return _command(folder, name, body, "".join(f"load_module {module};" for module in modules))


def _command(folder: Path, name: str, body: str, modules: str = "") -> list[str]:
    file = folder / f"{name}.conf"
    # Whoever is root would get workers of another user, whom no tool could watch.
    user = "user root;" if os.geteuid() == 0 else ""
    file.write_text(_MAIN.format(folder=folder, name=name, body=body, modules=modules, user=user))
    return [program("nginx"), "-p", str(folder), "-c", str(file)]
