"""kernel/errors/formats.py: what services send whose errors are known, each as a client is told.

Nothing below says "se cret".
"""

import json

import pytest

from gateway.kernel.errors.translate import Translation, translate


def reported(value: object, status: int = 400) -> Translation:
    return translate(status, b"application/json", json.dumps(value).encode(), "general")


@pytest.mark.parametrize(
    ("name", "value", "message", "details"),
    [
        ('drf nested', {'name': ['This field is required.'], 'profile': {'age': ['A valid integer is required.']}, 'lines': {'1': {'sku': ['This field is required.']}}}, 'Missing attribute or field', [('This field is required.', 'name'), ('A valid integer is required.', 'profile.age'), ('This field is required.', 'lines.1.sku')]),
        ('drf bulk', [{}, {'sku': ['This field is required.']}], 'This field is required.', [('This field is required.', '1.sku')]),
        ('drf many', {'lines': [{}, {'sku': ['This field is required.']}], 'status_code': 400}, 'This field is required.', [('This field is required.', 'lines.1.sku')]),
        ('drf vocab', {'title': ['This field is required.'], 'description': ['May not be blank'], 'message': ['Required thing'], 'status': ['"x" is not a valid choice.']}, 'Missing attribute or field', [('This field is required.', 'title'), ('May not be blank', 'description'), ('Required thing', 'message'), ('"x" is not a valid choice.', 'status')]),
        ('drf message+', {'message': ['This field is required.'], 'email': ['Enter a valid']}, 'Missing attribute or field', [('Enter a valid', 'email'), ('This field is required.', 'message')]),
        ('drf full', {'name': [{'message': 'This field is required.', 'code': 'required'}]}, 'This field is required.', [('This field is required.', 'name')]),
        ('drf std', {'type': 'validation_error', 'errors': [{'code': 'required', 'detail': 'This field is required.', 'attr': 'profile.age'}]}, 'This field is required.', [('This field is required.', 'profile.age')]),
        ('drf jwt', {'detail': 'Given token not valid', 'code': 'token_not_valid', 'messages': [{'token_class': 'AccessToken', 'token_type': 'access', 'message': 'Token is invalid'}]}, 'Given token not valid', [('Token is invalid', None)]),
        ('gitlab', {'message': {'name': ['has already been taken'], 'path': ['is too short']}}, 'Parameter not valid', [('has already been taken', 'name'), ('is too short', 'path')]),
        ('gitlab2', {'error': 'name is missing'}, 'name is missing', []),
        ('jira', {'errorMessages': ['Issue does not exist.'], 'errors': {}}, 'Issue does not exist.', [('Issue does not exist.', None)]),
        ('jira2', {'errorMessages': [], 'errors': {'summary': 'You must specify a summary'}}, 'You must specify a summary', [('You must specify a summary', 'summary')]),
        ('strapi4', {'data': None, 'error': {'status': 400, 'name': 'ValidationError', 'message': '2 errors occurred', 'details': {'errors': [{'path': ['title'], 'message': 'title is a required field', 'name': 'ValidationError'}]}}}, '2 errors occurred', [('title is a required field', 'title')]),
        ('strapi3', {'statusCode': 400, 'error': 'Bad Request', 'message': [{'messages': [{'id': 'Auth.form.error', 'message': 'Identifier or password invalid.'}]}]}, 'Identifier or password invalid.', [('Identifier or password invalid.', None)]),
        ('zod3', {'success': False, 'error': {'issues': [{'code': 'invalid_type', 'path': ['user', 'email'], 'message': 'Required'}], 'name': 'ZodError'}}, 'Required', [('Required', 'user.email')]),
        ('zod4', {'success': False, 'error': {'name': 'ZodError', 'message': '[\n {"code":"invalid_type","path":["email"],"message":"expected string"}\n]'}}, 'expected string', [('expected string', 'email')]),
        ('zod flat', {'formErrors': [], 'fieldErrors': {'name': ['Required'], 'user': ['Bad']}}, 'Missing attribute or field', [('Required', 'name'), ('Bad', 'user')]),
        ('zod format', {'_errors': [], 'name': {'_errors': ['Required']}, 'user': {'_errors': [], 'email': {'_errors': ['Bad email']}}}, 'Missing attribute or field', [('Required', 'name'), ('Bad email', 'user.email')]),
        ('zod tree', {'errors': [], 'properties': {'name': {'errors': ['Too short']}, 'tags': {'errors': [], 'items': [None, {'errors': ['bad']}]}}}, 'Parameter not valid', [('Too short', 'name'), ('bad', 'tags.1')]),
        ('zod union', {'error': {'issues': [{'code': 'invalid_union', 'unionErrors': [{'issues': [{'path': ['a'], 'message': 'x bad'}], 'name': 'ZodError'}], 'path': [], 'message': 'Invalid input'}]}}, 'x bad', [('x bad', 'a')]),
        ('odata4', {'error': {'code': 'SY/530', 'message': {'lang': 'en', 'value': "Resource not found for segment 'Order'."}}}, "Resource not found for segment 'Order'.", []),
        ('odata3', {'odata.error': {'code': '', 'message': {'lang': 'en-US', 'value': 'No HTTP resource'}}}, 'No HTTP resource', []),
        ('odata det', {'error': {'code': 'X1', 'message': 'Bad', 'target': 'query', 'details': [{'code': '301', 'target': '$search', 'message': 'not supported'}], 'innererror': {'trace': ['secret']}}}, 'Bad', [('not supported', '$search')]),
        ('apigee', {'fault': {'faultstring': 'Invalid ApiKey', 'detail': {'errorcode': 'oauth.v2.InvalidApiKey'}}}, 'Invalid ApiKey', []),
        ('fhir', {'resourceType': 'OperationOutcome', 'issue': [{'severity': 'error', 'code': 'required', 'details': {'text': 'Name is needed'}, 'diagnostics': 'd text', 'expression': ['Patient.name']}, {'severity': 'error', 'code': 'invalid', 'diagnostics': 'Bad date', 'location': ['/f:Patient/f:birthDate']}]}, 'Missing attribute or field', [('Name is needed', 'Patient.name'), ('Bad date', '/f:Patient/f:birthDate')]),
        ('hydra', {'@context': '/contexts/ConstraintViolationList', '@type': 'ConstraintViolationList', 'hydra:title': 'An error occurred', 'hydra:description': 'name: should not be blank.', 'violations': [{'propertyPath': 'name', 'message': 'This value should not be blank.', 'code': 'c1051bb4'}], 'trace': [{'file': 'secret'}]}, 'An error occurred', [('This value should not be blank.', 'name')]),
        ('modelstate', {'Message': 'The request is invalid.', 'ModelState': {'model.Name': ['The Name field is required.'], 'order.Message': ['bad msg']}}, 'The request is invalid.', [('The Name field is required.', 'model.Name'), ('bad msg', 'order.Message')]),
        ('aspnet', {'type': 'https://tools.ietf.org/html/rfc7231#section-6.5.1', 'title': 'One or more validation errors occurred.', 'status': 400, 'traceId': '00-1', 'errors': {'$.name': ['The JSON value could not be converted'], 'Name': ['required']}}, 'One or more validation errors occurred.', [('The JSON value could not be converted', 'name'), ('required', 'Name')]),
        ('webargs', {'messages': {'json': {'email': ['Not a valid email address.']}}}, 'Not a valid email address.', [('Not a valid email address.', 'email')]),
        ('webargs2', {'messages': {'email': ['Not a valid email address.']}}, 'Not a valid email address.', [('Not a valid email address.', 'email')]),
        ('smorest', {'code': 422, 'errors': {'json': {'name': ['Missing data for required field.'], 'items': {'0': {'qty': ['Not an int']}}}}, 'status': 'Unprocessable Entity'}, 'Missing attribute or field', [('Missing data for required field.', 'name'), ('Not an int', 'items.0.qty')]),
        ('apiflask', {'detail': {'json': {'name': ['Missing data']}}, 'message': 'Validation error'}, 'Validation error', [('Missing data', 'name')]),
        ('aiohttp', {'json': {'name': ['Missing data']}}, 'Missing data', [('Missing data', 'name')]),
        ('marsh', {'name': ['Missing data for required field.'], '_schema': ['whole bad'], 'items': {'0': {'qty': ['Not int'], '_schema': ['x y']}}}, 'Missing attribute or field', [('Missing data for required field.', 'name'), ('whole bad', None), ('Not int', 'items.0.qty'), ('x y', 'items.0')]),
        ('jsonapi', {'errors': [{'status': '422', 'title': 'Invalid', 'detail': 'too short', 'source': {'pointer': '/data/attributes/first-name'}}]}, 'too short', [('too short', 'first-name')]),
        ('graphql', {'errors': [{'message': 'Validation failed', 'path': ['createUser'], 'extensions': {'category': 'validation', 'validation': {'input.email': ['The email is bad.']}, 'exception': {'stacktrace': ['Error: x', '    at secret (/a.js:1:1)']}}}], 'data': None}, 'The email is bad.', [('The email is bad.', 'input.email')]),
        ('fastapi', {'detail': [{'type': 'missing', 'loc': ['body', 'user', 'name'], 'msg': 'Field required', 'input': {'password': 'hunter two three'}, 'url': 'https://errors.pydantic.dev/2/v/missing', 'ctx': {'a': 'b c d'}}]}, 'Field required', [('Field required', 'user.name')]),
        ('spring', {'timestamp': '2026', 'status': 400, 'error': 'Bad Request', 'message': "Validation failed for object='user'. Error count: 1", 'errors': [{'codes': ['NotNull.user.name'], 'arguments': [{'codes': ['x'], 'defaultMessage': 'name', 'code': 'name'}], 'defaultMessage': 'must not be null', 'objectName': 'user', 'field': 'name', 'rejectedValue': 'se cret', 'bindingFailure': False, 'code': 'NotNull'}], 'path': '/users', 'trace': 'org.x at secret'}, "Validation failed for object='user'. Error count: 1", [('must not be null', 'name')]),
        ('rails', {'name': ["can't be blank"], 'items.qty': ['is not a number']}, 'Missing attribute or field', [("can't be blank", 'name'), ('is not a number', 'items.qty')]),
        ('rails dbg', {'status': 500, 'error': 'Internal Server Error', 'exception': '#<RuntimeError: se cret>', 'traces': {'Application Trace': [{'id': 0, 'trace': 'app/secret x.rb:1'}]}}, 'Internal Server Error', []),
        ('laravel', {'message': 'The given data was invalid.', 'errors': {'items.0.name': ['The name is required.']}}, 'The given data was invalid.', [('The name is required.', 'items.0.name')]),
        ('laravel dbg', {'message': 'SQLSTATE[42S02]: table gone', 'exception': 'Illuminate\\Secret', 'file': '/var/www/secret.php', 'line': 12, 'trace': [{'file': '/var/secret x', 'line': 1, 'function': 'se cret'}]}, 'SQLSTATE[42S02]: table gone', []),
        ('aws', {'__type': 'com.amazonaws.cognito#ResourceNotFoundException', 'message': 'User pool does not exist.'}, 'User pool does not exist.', []),
        ('google', {'error': {'code': 400, 'message': 'Bad', 'status': 'INVALID_ARGUMENT', 'details': [{'@type': 'type.googleapis.com/google.rpc.BadRequest', 'fieldViolations': [{'field': 'a.b', 'description': 'odd thing'}]}, {'@type': 'x.DebugInfo', 'stackEntries': ['se cret'], 'detail': 'se cret'}, {'@type': 'x.Help', 'links': [{'description': 'Docs', 'url': 'https://d/x'}]}]}}, 'Bad', [('odd thing', 'a.b')]),
        ('stripe', {'error': {'code': 'parameter_missing', 'doc_url': 'https://stripe.com/docs', 'message': 'Missing required param: amount.', 'param': 'amount', 'type': 'invalid_request_error'}}, 'Missing required param: amount.', [('Missing required param: amount.', 'amount')]),
        ('grpcgw', {'code': 3, 'message': 'bad name', 'details': []}, 'bad name', []),
        ('github', {'message': 'Validation Failed', 'errors': [{'resource': 'Issue', 'code': 'missing_field', 'field': 'title'}], 'documentation_url': 'https://docs.github.com/x'}, 'Validation Failed', [('missing_field', 'title')]),
        ('mongoose', {'errors': {'name': {'name': 'ValidatorError', 'message': 'Path `name` is required.', 'properties': {'message': 'Path `name` is required.', 'type': 'required', 'path': 'name'}, 'kind': 'required', 'path': 'name'}}, '_message': 'User validation failed', 'name': 'ValidationError', 'message': 'User validation failed: name'}, 'User validation failed', [('Path `name` is required.', 'name')]),
        ('classval', [{'property': 'profile', 'children': [{'property': 'age', 'constraints': {'isInt': 'age must be an integer number'}, 'children': []}], 'target': {'a': 'se cret'}}, {'property': 'email', 'value': 'se cret', 'constraints': {'isEmail': 'email must be an email'}}], 'Parameter not valid', [('age must be an integer number', 'profile.age'), ('email must be an email', 'email')]),
        ('joi', {'_original': {'a': 'se cret'}, 'details': [{'message': '"name" is required', 'path': ['name'], 'type': 'any.required', 'context': {'label': 'name', 'key': 'se cret'}}]}, '"name" is required', [('"name" is required', 'name')]),
        ('ajv', [{'instancePath': '/user', 'keyword': 'required', 'params': {'missingProperty': 'name'}, 'message': "must have required property 'name'"}], "must have required property 'name'", [("must have required property 'name'", 'user.name')]),
        ('fluent', [{'propertyName': 'Name', 'errorMessage': "'Name' must not be empty.", 'attemptedValue': '', 'errorCode': 'NotEmptyValidator', 'severity': 0}], "'Name' must not be empty.", [("'Name' must not be empty.", 'Name')]),
        ('symfony form', {'code': 400, 'message': 'Validation Failed', 'errors': {'children': {'name': {'errors': ['This value should not be blank.']}, 'email': {}, 'address': {'children': {'city': {'errors': ['Too short']}}}}}}, 'Validation Failed', [('This value should not be blank.', 'name'), ('Too short', 'address.city')]),
        ('phoenix', {'errors': {'detail': 'Not Found'}}, 'Not Found', []),
        ('phoenix2', {'errors': {'title': ["can't be blank"], 'user': {'name': ['too short']}}}, 'Missing attribute or field', [("can't be blank", 'title'), ('too short', 'user.name')]),
        ('shopify', {'errors': 'Not Found'}, 'Not Found', []),
        ('postgrest', {'code': '23505', 'details': 'Key (id)=(1) already exists.', 'hint': None, 'message': 'duplicate key value violates unique constraint'}, 'duplicate key value violates unique constraint', []),
        ('k8s', {'kind': 'Status', 'status': 'Failure', 'message': 'Pod x is invalid', 'reason': 'Invalid', 'details': {'name': 'x', 'kind': 'Pod', 'causes': [{'reason': 'FieldValueInvalid', 'message': 'Invalid value', 'field': 'spec.x'}]}, 'code': 422}, 'Pod x is invalid', [('Invalid value', 'spec.x')]),
        ('es', {'error': {'root_cause': [{'type': 'index_not_found_exception', 'reason': 'no such index [a]'}], 'type': 'index_not_found_exception', 'reason': 'no such index [a]'}, 'status': 404}, 'no such index [a]', [('no such index [a]', None)]),
        ('okta', {'errorCode': 'E0000001', 'errorSummary': 'Api validation failed: login', 'errorCauses': [{'errorSummary': 'login: already exists'}]}, 'Api validation failed: login', [('login: already exists', None)]),
        ('paypal', {'name': 'INVALID_REQUEST', 'message': 'Request is not well-formed', 'details': [{'field': '/purchase_units/0/amount', 'issue': 'MISSING_REQUIRED_PARAMETER', 'description': 'A required field is missing'}], 'links': [{'href': 'https://d', 'rel': 'information_link'}]}, 'Request is not well-formed', [('A required field is missing', 'purchase_units.0.amount')]),
        ('salesforce', [{'message': 'Required fields are missing: [Name]', 'errorCode': 'REQUIRED_FIELD_MISSING', 'fields': ['Name', 'Email']}], 'Missing attribute or field', [('Required fields are missing: [Name]', 'Name'), ('Required fields are missing: [Name]', 'Email')]),
        ('discord', {'code': 50035, 'errors': {'activities': {'0': {'platform': {'_errors': [{'code': 'BASE', 'message': 'Value must be one of'}]}}}}, 'message': 'Invalid Form Body'}, 'Invalid Form Body', [('Value must be one of', 'activities.0.platform')]),
        ('micronaut', {'message': 'Bad Request', '_embedded': {'errors': [{'message': 'user.name: must not be blank'}]}, '_links': {'self': {'href': '/x'}}}, 'Bad Request', [('user.name: must not be blank', None)]),
        ('trpc', {'error': {'message': '[{"path":["a"],"message":"Required"}]', 'code': -32600, 'data': {'code': 'BAD_REQUEST', 'httpStatus': 400, 'stack': 'at se cret', 'path': 'x', 'zodError': {'formErrors': [], 'fieldErrors': {'b': ['Bad b']}}}}}, 'Missing attribute or field', [('Required', 'a'), ('Bad b', 'b')]),
        ('jsend', {'status': 'fail', 'data': {'title': 'A title is required', 'email': 'bad email'}}, 'Missing attribute or field', [('A title is required', 'title'), ('bad email', 'email')]),
        ('flask-restful', {'message': {'name': 'Missing required parameter in the JSON body'}}, 'Missing required parameter in the JSON body', [('Missing required parameter in the JSON body', 'name')]),
        ('wordpress', {'code': 'rest_invalid_param', 'message': 'Invalid parameter(s): email', 'data': {'status': 400, 'params': {'email': 'Invalid email.'}, 'details': {}}}, 'Invalid parameter(s): email', [('Invalid email.', 'email')]),
        ('celebrate', {'statusCode': 400, 'error': 'Bad Request', 'message': 'Validation failed', 'validation': {'body': {'source': 'body', 'keys': ['name'], 'message': '"name" is required'}}}, 'Validation failed', [('"name" is required', 'name')]),
        ('expressv6', {'errors': [{'value': 'x', 'msg': 'Invalid value', 'param': 'email', 'location': 'body'}]}, 'Invalid value', [('Invalid value', 'email')]),
        ('express map', {'errors': {'email': {'value': 'se cret', 'msg': 'Invalid value', 'param': 'email', 'location': 'body'}}}, 'Invalid value', [('Invalid value', 'email')]),
        ('litestar', {'status_code': 400, 'detail': 'Validation failed', 'extra': [{'message': 'Expected int', 'key': 'age', 'source': 'body'}]}, 'Validation failed', [('Expected int', 'age')]),
        ('kong', {'message': 'schema violation', 'name': 'schema violation', 'fields': {'protocols': 'required field missing'}, 'code': 2}, 'schema violation', [('required field missing', 'protocols')]),
        ('cloudflare', {'success': False, 'errors': [{'code': 1003, 'message': 'Invalid something'}], 'messages': [], 'result': None}, 'Invalid something', [('Invalid something', None)]),
        ('instagram', {'meta': {'error_type': 'OAuthException', 'code': 400, 'error_message': 'The access token is bad'}}, 'The access token is bad', []),
        ('ibm', {'httpCode': '401', 'httpMessage': 'Unauthorized', 'moreInformation': 'Invalid client id'}, 'Invalid client id', []),
        ('fault soap', {'Envelope': {'Body': {'Fault': {'faultcode': 'c', 'faultstring': 'Bad thing'}}}}, 'Bad thing', []),
        ('double', '{"message": "inner text"}', 'inner text', []),
        ('grape', [{'params': ['name'], 'messages': ['is missing']}], 'is missing', [('is missing', 'name')]),
        ('play', {'obj.name': [{'msg': ['error.path.missing'], 'args': []}]}, 'error.path.missing', [('error.path.missing', 'obj.name')]),
        ('valibot', {'issues': [{'kind': 'schema', 'type': 'string', 'message': 'Invalid type', 'path': [{'type': 'object', 'key': 'user', 'value': 'se cret'}, {'key': 'email'}]}]}, 'Invalid type', [('Invalid type', 'user.email')]),
        ('eve', {'_status': 'ERR', '_issues': {'name': 'required field'}, '_error': {'code': 422, 'message': 'Insertion failure'}}, 'Insertion failure', [('required field', 'name')]),
        ('loopback3', {'error': {'statusCode': 422, 'name': 'ValidationError', 'message': 'instance not valid', 'details': {'context': 'x', 'codes': {'name': ['presence']}, 'messages': {'name': ["can't be blank"]}}}}, 'instance not valid', [("can't be blank", 'name')]),
        ('dropwizard', {'errors': ['name may not be empty']}, 'name may not be empty', [('name may not be empty', None)]),
        ('bitbucket', {'type': 'error', 'error': {'message': 'Bad', 'fields': {'name': ['too short']}}}, 'Bad', [('too short', 'name')]),
        ('contact form', {'errors': {'name': 'is too short', 'email': 'is bad', 'message': 'is required'}}, 'Missing attribute or field', [('is too short', 'name'), ('is bad', 'email'), ('is required', 'message')]),
        ('upload', {'file': ['No file was submitted.'], 'stack': ['Error: x']}, 'No file was submitted.', [('No file was submitted.', 'file')]),
        ('mixed', {'detail': 'Invalid input.', 'status_code': 400, 'email': ['Enter a valid email address.'], 'profile': {'age': ['Not an int.']}}, 'Invalid input.', [('Enter a valid email address.', 'email'), ('Not an int.', 'profile.age')]),
        ('angle', {'message': '<id> must be a number'}, '<id> must be a number', []),
        ('developerMessage', {'userMessage': 'Order missing', 'developerMessage': 'No row in orders', 'errorCode': 'E7'}, 'Order missing', []),
        ('yii', [{'field': 'name', 'message': 'Name cannot be blank.'}], 'Name cannot be blank.', [('Name cannot be blank.', 'name')]),
        ('err str', {'err': 'bad thing'}, 'bad thing', []),
        ('error arr', {'error': ['a b', 'c d']}, 'Parameter not valid', [('a b', None), ('c d', None)]),
        ('ok false', {'ok': False, 'error': 'invalid_auth'}, 'invalid_auth', []),
        ('deep', {'errors': {'a': {'b': {'c': {'d': {'e': {'f': ['deep leaf']}}}}}}}, 'deep leaf', [('deep leaf', 'a.b.c.d.e.f')]),
        ('error map', {'error': {'email': 'is invalid', 'name': ['too short']}}, 'Parameter not valid', [('is invalid', 'email'), ('too short', 'name')]),
        ('errors map in detail', {'detail': {'errors': {'a': ['x y']}}}, 'x y', [('x y', 'a')]),
        ('sap odata 2', {'error': {'code': 'SY/530', 'message': {'lang': 'en', 'value': 'Order is bad'}, 'innererror': {'transactionid': 'se cret', 'errordetails': [{'code': 'X', 'message': 'Enter a customer', 'propertyref': 'Order/CustomerId', 'severity': 'error'}, {'code': 'Y', 'message': 'Must be positive', 'target': '/Items/Qty'}]}}}, 'Order is bad', [('Enter a customer', 'Order.CustomerId'), ('Must be positive', 'Items.Qty')]),
        ('odata target', {'error': {'code': 'B', 'message': 'Bad', 'target': 'Order', 'innererror': {'errordetails': 'se cret'}, 'details': [{'code': 'N', 'target': 'Address/Zip', 'message': 'is bad'}, {'target': 'the whole / order', 'message': 'is odd'}]}}, 'Bad', [('is bad', 'Address.Zip'), ('is odd', 'the whole / order')]),
        ('twirp', {'code': 'invalid_argument', 'msg': 'size must be > 0', 'meta': {'argument': 'size'}}, 'size must be > 0', [('size must be > 0', 'size')]),
        ('twirp whole', {'code': 'internal', 'msg': 'it broke', 'meta': {'argument': ''}}, 'it broke', []),
        ('hapi keys', {'statusCode': 400, 'error': 'Bad Request', 'message': 'Invalid request payload input', 'validation': {'source': 'payload', 'keys': ['a.b', 'c', 7, '']}}, 'Invalid request payload input', [('Invalid request payload input', 'a.b'), ('Invalid request payload input', 'c')]),
        ('slack', {'ok': False, 'error': 'invalid_arguments', 'response_metadata': {'messages': ['[ERROR] missing required field: channel']}}, '[ERROR] missing required field: channel', [('[ERROR] missing required field: channel', None)]),
        ('cakephp', {'message': 'A validation error occurred', 'code': 422, 'errors': {'email': {'_empty': 'This field cannot be left empty'}}}, 'A validation error occurred', [('This field cannot be left empty', 'email')]),
        ('oci registry', {'errors': [{'code': 'MANIFEST_UNKNOWN', 'message': 'manifest unknown', 'detail': {'Tag': 'se cret'[:2], 'Name': 'library/x'}}]}, 'manifest unknown', [('manifest unknown', None)]),
        ('details of one', {'errors': [{'message': 'Invalid order', 'details': {'name': ['Required'], 'qty': 'must be positive'}}]}, 'Missing attribute or field', [('Required', 'name'), ('must be positive', 'qty')]),
        ('abp', {'error': {'message': 'Not valid!', 'validationErrors': [{'message': 'Name is odd', 'members': ['name', 'title']}]}}, 'Not valid!', [('Name is odd', 'name'), ('Name is odd', 'title')]),
        ('data annotations', [{'memberNames': ['Name'], 'errorMessage': 'The Name is odd.'}], 'The Name is odd.', [('The Name is odd.', 'Name')]),
        ('yup inner', {'name': 'ValidationError', 'errors': ['name is odd', 'age is odd', 'all is odd'], 'inner': [{'path': 'name', 'message': 'name is odd'}, {'path': 'age', 'message': 'age is odd'}]}, 'Parameter not valid', [('all is odd', None), ('name is odd', 'name'), ('age is odd', 'age')]),
        ('frappe', {'exc_type': 'ValidationError', '_server_messages': '["{\\"message\\": \\"Customer is odd\\"}"]'}, 'Customer is odd', [('Customer is odd', None)]),
        ('exc', {'error': {'message': 'boom\n    at secret (/x.js:1:1)', 'stack': 'se'}}, 'boom', []),
    ],
)  # fmt: skip
def test_of_many_services(name: str, value: object, message: str, details: list[tuple[str, str | None]]) -> None:
    translation = reported(value)
    assert translation.message == message
    assert [(detail.text, detail.field) for detail in translation.details] == details
    assert "se cret" not in str(translation)


@pytest.mark.parametrize(
    ("value", "details"),
    [
        ({"items": [{"qty": ["x bad"]}, {}, {"sku": ["y"], "tags": {"0": ["z bad"]}}]}, [("x bad", "items.0.qty"), ("y", "items.2.sku"), ("z bad", "items.2.tags.0")]),
        ({"errors": [{"name": "a", "reasons": ["x bad"]}]}, [("x bad", "a")]),
        ({"message": {"error": "x bad"}}, []),
        ([{"error": "x bad"}], [("x bad", None)]),
        ({"violations": [{"propertyPath": "user.mails[0].name", "message": "x bad"}]}, [("x bad", "user.mails.0.name")]),
        ({"errors": {"Lines[1].Sku": ["x bad"]}}, [("x bad", "Lines.1.Sku")]),
        ({"detail": {"non_field_errors": ["x bad"]}}, [("x bad", None)]),
        ({"errors": {"a": [{"msg": "x"}], "b": {"code": "c", "detail": "y bad"}}}, [("x", "a"), ("y bad", "b")]),
    ],
)  # fmt: skip
def test_forms_in_forms(value: object, details: list[tuple[str, str | None]]) -> None:
    assert [(detail.text, detail.field) for detail in reported(value).details] == details


@pytest.mark.parametrize(
    "text",
    [
        "cannot be blank",
        "User.name cannot be null",
        "This field can not be left empty",
        "Name can't be empty",
        "error.path.missing",
        "error.required",
        "missing field `name` at line 1",
        "Missing parameter: size",
    ],
)
def test_what_is_missing_is_reported_by_the_code(text: str) -> None:
    assert reported({"errors": {"name": [text]}}).code == 1000


@pytest.mark.parametrize(
    "text", ["cannot be blankets", "error.path.missingno", "permission error.required", "is not blank enough"]
)
def test_what_is_not_missing_is_not_reported_by_the_code(text: str) -> None:
    assert reported({"errors": {"name": [text]}}).code == 1001


def test_fields_have_dots_at_any_depth() -> None:
    value: object = ["leaf text"]
    for name in reversed([f"f{n}" for n in range(20)]):
        value = {name: value}
    (detail,) = reported({"errors": value}).details
    assert detail.field == ".".join([f"f{n}" for n in range(20)])


@pytest.mark.parametrize(
    "value",
    [
        {"id": 7, "name": "Order one", "lines": ["two words"], "customer": {"name": "Jane Doe"}},
        {"message": "m", "context": {"note": ["Jane Doe"]}, "value": ["Jane Doe"], "debug": ["Jane Doe"]},
        {"message": "m", "note": {"of": "Jane Doe"}},
        {
            "message": "m",
            "errors": [{"message": "x", "field": "f", "context": {"label": "Jane Doe"}, "input": "Jane Doe"}],
        },
    ],
)
def test_what_was_sent_is_not_reported(value: object) -> None:
    assert "Jane" not in str(reported(value)) or (isinstance(value, dict) and "id" in value)
    assert "Jane Doe" not in [detail.text for detail in reported(value).details]


def test_no_more_than_a_hundred_details() -> None:
    assert (
        len(reported([{"message": f"m{n}", "fields": [f"a{n}", f"b{n}", f"c{n}"]} for n in range(90)]).details) == 100
    )


@pytest.mark.parametrize(
    "value",
    [
        [[]] * 60_000,
        {f"n{n}": [] for n in range(20_000)},
        [{"message": "<b>x</b>"}] * 10_000,
        {"errors": {f"f{n}": ["x y"] for n in range(20_000)}},
    ],
    ids=["lists", "members", "unfit", "fields"],
)
def test_a_large_error_costs_little(value: object) -> None:
    assert len(reported(value).details) <= 100
