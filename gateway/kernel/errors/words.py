"""The member names that backends use in errors, in the normalized form that `word` returns."""

import re
from functools import lru_cache

_APART = re.compile(r"[ _\-$@.]")


_LONGEST_NAME = 60


def word(name: str) -> str:
    """Return `name` in lower case without separators and namespace.

    `error_message`, `ErrorMessage` and `s:errorMessage` become one word.
    """
    return _word(name) if len(name) <= _LONGEST_NAME else ""


@lru_cache(maxsize=2048)
def _word(name: str) -> str:
    return _APART.sub("", name.rpartition(":")[2]).lower().removeprefix("odata")


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


TEXTS = _words(
    "detail message msg errordescription errormessage errormsg errmsg usermessage errorusermsg faultstring description"
    " defaultmessage details diagnostics reason text title errors errorsummary errordetail statusmessage longmessage"
    " shortmessage summary moreinformation"
)
"""Names of one sentence about the error, the best first."""

MAPPED = frozenset(TEXTS) - {"errors"} | frozenset(_words("status code data body meta result response extra"))
"""Names that are fields when they stand in a map of fields, with a list of texts like all others."""

PLAIN_TEXTS = frozenset(_words("detail message msg errormessage defaultmessage error"))
"""Names that distinguish an error from a map of fields, in which a field may be called `title` or `description`."""

EXPLANATIONS = _words("developermessage developermsg technicalmessage")
LABELS = _words("error err status code errorcode errortype type faultcode")

ERRORS = frozenset(_words("error detail fault err"))
"""An object under these names is the error that is meant, whatever stands around it."""

LISTS = frozenset(_words(
    "detail errors details message messages msg err error errormessages invalidparams violations fieldviolations"
    " parameterviolations propertyviolations suberrors issues issue reasons errorcauses causes rootcause inner"
    " unionerrors errordetails problems extra embedded extensions fault zoderror body response responsemetadata result"
    " data meta envelope status children"
))  # fmt: skip
"""Names of members that may hold single errors, or another error."""

WRAPPERS = frozenset(_words("extensions body response responsemetadata result data meta envelope status extra"))
"""Those of `LISTS` that may hold anything else as well."""

BY_FIELD = frozenset(_words(
    "errors fielderrors validationerrors validation modelstate message messages fields invalid invalidfields"
    " invalidattributes formerrors issues fieldmessages errormessages"
))  # fmt: skip
"""Objects under these names have a member for each field."""

FORM = frozenset(_words("errors children properties items"))
"""The members of a node in the tree of a form: those under `children`, `properties` and `items` are fields of it."""

BRANCHES = frozenset(_words("children properties items"))
"""Those of `FORM` that hold further nodes."""

FIELDS = _words(
    "loc field fieldname property propertyname propertypath param parameter attr attribute path instancepath"
    " instancelocation datapath pointer expression header name target location key errorpath propertyref keys params"
    " fields members membernames"
)
"""The field that a single error is about, the best first."""

SURE_FIELDS = _words("field fieldname param parameter property propertyname propertypath pointer attr")
"""Names that mean a field of the request also beside the text about the whole error."""

INTERNAL = frozenset(_words(
    "stack stacktrace stacktracestring trace traces traceback backtrace exception exceptionmessage exceptiontype"
    " exceptionclass exceptions stackentries innererror innerexception debug debuginfo debugmessage"
))  # fmt: skip
"""The inside of a service. Nothing below is read."""

UNTOLD = frozenset(_words(
    "value values rejectedvalue attemptedvalue invalidvalue input inputvalue received actual context ctx config request"
    " headers cookies env environment session sql query file line previous arguments args original originalerror cause"
    " driver parent target user codes links help tags allowed options choices enum expected metadata params parameters"
    " path method"
))  # fmt: skip
"""Values that were sent, and what is no error: not read beside the text of an error."""

REQUEST_PARTS = frozenset(
    _words(
        "json query querystring form headers cookies files jsonorform path matchinfo viewargs body cookie header root"
        " params"
    )
)
"""Parts of a request. Some forms begin the path of a field with it."""

WHOLE = frozenset({
    "", "$", "*", "base", "__all__", "_schema", "non_field_errors", "nonFieldErrors", "_errors", "_error", "formErrors",
    "__root__", "errors", "_empty", "_required", "_server_messages",
})  # fmt: skip
"""Values in place of a field that mean the whole of what surrounds the error."""

NOT_FIELDS = frozenset(
    _words(
        "success ok timestamp statuscode httpstatus httpcode instance requestid traceid correlationid id status code"
    )
)

KNOWN = frozenset((*TEXTS, *EXPLANATIONS, *LABELS, *LISTS, *BY_FIELD, *INTERNAL, *UNTOLD, *NOT_FIELDS))

KINDS = _words("type code keyword rule kind constrainttype reason")
MISSING_KINDS = frozenset(_words(
    "missing valueerrormissing required notnull notblank notempty blank null missingfield requiredfield"
    " missingparameter missingrequiredparameter notemptyvalidator notnullvalidator anyrequired stringempty"
    " fieldvaluerequired"
))  # fmt: skip
"""Kinds of errors that mean a missing field."""

MISSING_TEXT = re.compile(
    r"\bis (?:required|missing)\b|\bfield required\b|\brequired (?:field|propert|parameter)"
    r"|\bfor required field\b|\breceived undefined\b"
    r"|\bmissing (?:field|propert|parameter|attribute)|\bcan'?t be (?:left )?(?:null|blank|empty)\b"
    r"|\b(?:may not|must not|should not|cannot|can not) be (?:left )?(?:null|blank|empty)\b|\ARequired\Z"
    r"|\Aerror\.(?:path\.missing|required)\Z",
    re.IGNORECASE,
)
