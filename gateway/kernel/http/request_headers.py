"""Decides which request header fields are forwarded to an upstream.

Laws: RFC 9110 7.6.1 (fields meant for one hop, and every field that Connection names, are not forwarded);
what the gateway says about a caller can only come from the gateway; a field that some backends obey instead of
the request line or the peer address is a second request line, and never comes from a client. Nor do the fields by
which other proxies say whom they have recognised: a service that was behind one of them goes on to believe them.
"""

import re
from collections.abc import Iterable

from gateway.kernel.http.request_fields import FieldShape, may_be_remembered
from gateway.kernel.memo import Memo

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"http2-settings",
})  # fmt: skip
"""Fields that are meant for one hop, in lower case."""

FRAMING = frozenset({b"content-length", b"expect", b"host"})
"""Fields that the connection to the service writes itself."""

STEERING = frozenset({
    b"x-host", b"x-http-host-override", b"x-override-url", b"x-http-path-override", b"x-request-uri",
    b"x-sendfile-type", b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-method",
    b"true-client-ip", b"x-client-ip", b"x-cluster-client-ip", b"fastly-client-ip", b"x-originating-ip",
    b"x-azure-clientip", b"x-azure-socketip", b"x-appengine-user-ip", b"cloudfront-viewer-address", b"cf-pseudo-ipv4",
    b"x-proxymesh-ip", b"x-proxyuser-ip", b"proxy-client-ip", b"client-ip", b"x-forwarded", b"x-forward-for",
    b"forwarded-for", b"x-anonymous-consumer", b"proxy", b"forwarded", b"x-scheme", b"x-url-scheme", b"front-end-https",
    b"x-auth-user", b"x-auth-userid", b"x-auth-username", b"x-auth-email", b"x-auth-groups", b"x-auth-roles",
    b"x-auth-subject", b"x-userinfo", b"x-endpoint-api-userinfo", b"x-apigateway-api-userinfo", b"x-jwt-assertion",
    b"x-jwt-payload", b"x-amzn-request-context", b"x-amzn-lambda-context", b"x-istio-attributes",
    b"teleport-jwt-assertion", b"x-client-dn", b"x-client-cn", b"x-client-s-dn", b"x-client-subject",
    b"x-client-verify", b"x-arr-clientcert", b"x-arr-ssl", b"x-ssl", b"x-mtls-subject", b"x-peer-certificate",
    b"x-requested-method", b"x-http-verb", b"http-method-override", b"method-override", b"x-http-destinationurl",
    b"x-backend-host", b"x-backend-url", b"proxy-host", b"proxy-url", b"x-script-name", b"script-name", b"x-path-info",
    b"path-info", b"x-servlet-path", b"x-context-path", b"x-replaced-path", b"x-ingress-path", b"x-waws-unencoded-url",
    b"request-uri", b"x-true-client-ip", b"x-true-ip", b"x-forwarder-for", b"http-client-ip", b"x-source-ip",
    b"x-cdn-src-ip", b"cdn-src-ip", b"ali-cdn-real-ip", b"x-nf-client-connection-ip", b"fly-client-ip",
    b"do-connecting-ip", b"x-client-real-ip", b"cf-visitor", b"x-user", b"x-user-id", b"x-userid", b"x-user-name",
    b"x-username", b"x-user-email", b"x-user-mail", b"x-user-login", b"x-user-dn", b"x-user-role", b"x-user-roles",
    b"x-user-group", b"x-user-groups", b"x-user-scope", b"x-user-scopes", b"x-user-permissions", b"x-user-claims",
    b"x-user-info", b"x-user-sub", b"x-user-subject", b"x-rstudio-username", b"x-auth-audience", b"x-auth-expiresin",
    b"x-auth-id", b"x-auth-name", b"x-auth-role", b"x-auth-sub", b"x-token-subject", b"x-scope-orgid", b"eppn",
    b"tenant-org-id", b"caller-id", b"caller-plan",
})  # fmt: skip
"""Fields that some services obey in place of the request line, the peer address, or the caller that a proxy recognised.
"""

STEERING_PREFIXES = (
    b"x-forwarded-", b"x-original-", b"x-rewrite-", b"x-real-", b"x-remote-", b"remote-", b"x-caller-",
    b"x-middleware-",
    # proxies and gateways: Kong, OAuth2 Proxy, Envoy, nginx, Linkerd, Vouch, Pomerium, authentik
    b"x-consumer-", b"x-credential-", b"x-authenticated-", b"x-auth-request-", b"x-envoy-", b"x-accel-", b"l5d-",
    b"x-vouch-", b"x-pomerium-", b"x-authentik-", b"x-jwt-claim-",
    # Caddy, Tyk, Gravitee, 3scale, Cloud Foundry, OpenSearch and NiFi, ASP.NET Core, Kubernetes
    b"x-token-user-", b"x-tyk-", b"x-gravitee-", b"x-3scale-", b"x-cf-", b"x-proxy", b"x-proxied", b"ms-aspnetcore-",
    b"impersonate-",
    # TLS ended in front: HAProxy, nginx, Apache, RFC 9440, F5, WebLogic, WebSphere
    b"x-ssl-", b"ssl-", b"x-client-cert", b"client-cert", b"x-tls-client-", b"tls-client-", b"wl-proxy-", b"-ws",
    # clouds: Azure, Google, AWS, Cloudflare, Tailscale
    b"x-ms-client-principal", b"x-ms-token-", b"x-goog-iap-", b"x-goog-authenticated-user-", b"x-appengine-",
    b"x-amzn-oidc-", b"x-amzn-mtls-", b"cf-access-", b"cf-connecting-", b"tailscale-", b"incap-", b"x-sucuri-",
    b"fastly-", b"akamai-", b"x-akamai-", b"x-vercel-", b"x-ms-proxy", b"x-ms-forwarded-", b"x-ms-endpoint-",
    # single sign-on: Grafana, Apache's modules, Shibboleth, SiteMinder, WebSEAL, Oracle, F5, CAS, Teleport
    b"x-webauth-", b"oidc-", b"x-oidc-", b"mellon-", b"x-mellon-", b"shib-", b"x-shib-", b"ajp-", b"sm-", b"iv-",
    b"oam-", b"saml-", b"x-saml-", b"x-sso-", b"x-f5-", b"x-cas-", b"cas-", b"teleport-",
)  # fmt: skip
"""Families of such fields. `$WS…` of WebSphere begins with a hyphen here, because it is compared as its twin."""

_ALIKE = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)
_REMEMBERED = 1024
_PREFIX = re.compile(r"(?:/[A-Za-z0-9!$&'()*+:=@._~%-]+)*")


class FieldFilter(Memo[bytes, bool]):
    """Says for each request field of a client, by its name as received, whether it goes to the upstream.

    `drop` are those that stay; one with `*` at its end stands for all that begin so. A name with underscores, dots and
    the like counts as its twin with hyphens: CGI and WSGI backends cannot tell them apart. One with more of these at
    its end counts as the one without, which some of them cut off. A dict that fills itself, up to a bound: a name that
    was seen before costs one look-up.
    """

    __slots__ = ("_drop", "_drop_prefixes", "_selections")

    def __init__(self, drop: Iterable[bytes]) -> None:
        super().__init__(_REMEMBERED)
        self._selections: Memo[FieldShape, tuple[bool, ...]] = Memo(_REMEMBERED)
        named = list(drop)
        families = [name[:-1] for name in named if name.endswith(b"*")]
        self._drop = (
            HOP_BY_HOP
            | FRAMING
            | STEERING
            | {name.lower().translate(_ALIKE) for name in named if not name.endswith(b"*")}
        )
        self._drop_prefixes = (*STEERING_PREFIXES, *(family.lower().translate(_ALIKE) for family in families))

    def __missing__(self, name: bytes) -> bool:
        plain = name.lower().translate(_ALIKE)
        bare = plain.rstrip(b"-")
        return self.keep(
            name, plain not in self._drop and bare not in self._drop and not plain.startswith(self._drop_prefixes)
        )

    def selection(self, shape: FieldShape) -> tuple[bool, ...]:
        """Say for each field of `shape` whether it goes to the upstream."""
        known = self._selections.get(shape)
        if known is None:
            known = tuple([self[name] for name in shape.names])
            if may_be_remembered(shape.names):
                self._selections.keep(shape, known)
        return known


def forwarded_prefix(values: Iterable[str]) -> str:
    """Return the path that proxies in front say in X-Forwarded-Prefix, "" for none, or for what is no path.

    Of several the outermost comes first, as with X-Forwarded-For, and together they are one path. What would begin an
    authority (`//`, a backslash) is no path: it is told where clients are sent.
    """
    parts = [part.strip().rstrip("/") for value in values for part in value.split(",")]
    return "".join(parts) if all(map(_PREFIX.fullmatch, parts)) else ""


def connection_options(values: Iterable[str]) -> frozenset[bytes]:
    """Return the field names that the Connection fields `values` declare hop-by-hop, in lower case."""
    named = ",".join(values).lower().encode("utf-8", "surrogateescape").split(b",")
    return frozenset(map(bytes.strip, named)) - {b""}
