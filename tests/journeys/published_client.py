"""The published Python client of the API, unmodified, in a process of its own: `python published_client.py`.

Reads calls as lines of JSON, answers each with a line of JSON, in the same form as published_client.cjs.
"""

import json
import sys
from typing import Any

from bitmovin_api_sdk import BitmovinApi, BitmovinError, HttpInput, HttpInputListQueryParams, Webhook  # type: ignore[import-untyped]


def made(call: dict[str, Any]) -> Any:
    api = BitmovinApi(api_key=call["key"], tenant_org_id=call.get("organization"), base_url=call["base"])
    resources = api.encoding.inputs.http
    match call["do"]:
        case "create":
            return resources.create(HttpInput(name=call["name"], host="origin.example"))
        case "read":
            return resources.get(call["id"])
        case "list":
            return resources.list(query_params=HttpInputListQueryParams(offset=0, limit=25))
        case "delete":
            return resources.delete(call["id"])
        case "replace":
            hook = Webhook(url=f"https://{call['name']}.example/")
            return api.notifications.webhooks.encoding.manifest.finished.update(call["id"], hook)
    raise ValueError(call["do"])


def shown(result: Any) -> Any:
    """What the client has made of a reply."""
    if hasattr(result, "items") and isinstance(result.items, list):
        return {"total": result.total_count, "items": [shown(item) for item in result.items]}
    return None if result is None else {"id": result.id, "name": getattr(result, "name", None)}


def outcome(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": shown(made(call))}
    except BitmovinError as error:
        return {
            "status": error.http_status_code,
            "code": error.error_code,
            "message": error.short_message,
            "developer_message": error.developer_message,
            "details": [[detail.text, detail.field] for detail in error.details or []],
            "links": [[link.title, link.href] for link in error.links or []],
        }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line))), flush=True)
