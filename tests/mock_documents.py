"""A document of a service that does not exist."""

PETS = """\
openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: https://pets.example.com/v1}]
paths:
  /pets:
    get:
      operationId: listPets
      responses:
        "200":
          description: pets
          headers: {X-Total: {schema: {type: integer, minimum: 3}}, X-Odd: {schema: {type: string, const: "é"}}}
          content:
            text/csv: {schema: {type: string}}
            application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}}
    post:
      operationId: createPet
      responses:
        "201":
          description: made
          content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}, example: {id: 7, name: Rex}}}
        4XX: {description: wrong, content: {"application/*": {schema: {type: object, properties: {detail: {const: no}}}}}}
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: readPet, responses: {default: {description: pet}}}
    delete: {operationId: deletePet, responses: {"204": {description: gone}}}
  /pets/mine:
    get:
      operationId: minePet
      responses: {"200": {description: ok, content: {text/plain: {schema: {type: string, const: mine}}}}}
components:
  schemas:
    Pet: {type: object, required: [id], properties: {id: {type: integer}, name: {type: string}}}
"""
