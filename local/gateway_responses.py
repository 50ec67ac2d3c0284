"""Adds to the local API what MiniStack skips of its template: gateway_responses.py STACK STAGE.

API Gateway reads gateway responses and methods named ANY from the definition that SAM writes
(x-amazon-apigateway-gateway-responses, x-amazon-apigateway-any-method). MiniStack 1.5 supports both but skips those parts
of a definition, so this script makes the equivalent API calls.
"""

import sys

import boto3

ANY = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"


def definition_of(stack: str) -> tuple[str, dict]:
    """Returns the API's id, and the OpenAPI definition in the stack's processed template."""
    cloudformation = boto3.client("cloudformation")
    template = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            detail = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
            return detail["StackResourceDetail"]["PhysicalResourceId"], resource["Properties"]["Body"]
    raise SystemExit(f"stack {stack} has no REST API")


def put_any_methods(gateway, api_id: str, definition: dict) -> None:
    """Adds the ANY methods of the definition, which take every method without its own entry."""
    paths = definition["paths"]
    ids = {resource["path"]: resource["id"] for resource in gateway.get_resources(restApiId=api_id, limit=500)["items"]}

    def made(uri: dict) -> str:
        """Returns a function's real URI. The definition has it as Fn::Sub, so it is read from a named method of the function."""
        for path, item in paths.items():
            for method, operation in item.items():
                if method != ANY and operation[INTEGRATION]["uri"] == uri:
                    return gateway.get_integration(restApiId=api_id, resourceId=ids[path], httpMethod=method.upper())["uri"]
        raise SystemExit(f"no named method calls the function of {uri}")

    for path, item in paths.items():
        if ANY not in item:
            continue
        method = {"restApiId": api_id, "resourceId": ids[path], "httpMethod": "ANY"}
        gateway.put_method(**method, authorizationType="NONE")
        uri = made(item[ANY][INTEGRATION]["uri"])
        gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)


def main(stack: str, stage: str) -> None:
    api_id, definition = definition_of(stack)
    responses = definition.get("x-amazon-apigateway-gateway-responses", {})
    gateway = boto3.client("apigateway")
    for response_type, response in responses.items():
        status = {"statusCode": str(response["statusCode"])} if "statusCode" in response else {}
        gateway.put_gateway_response(
            restApiId=api_id,
            responseType=response_type,
            responseParameters=response.get("responseParameters", {}),
            responseTemplates=response.get("responseTemplates", {}),
            **status,
        )
    put_any_methods(gateway, api_id, definition)
    # Changes take effect with a deployment. The stage moves to a new one; the stack's own deployment stays, unused.
    gateway.create_deployment(restApiId=api_id, stageName=stage, description="with gateway responses")


main(sys.argv[1], sys.argv[2])
