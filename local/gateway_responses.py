"""Gives the local API the gateway responses that its template asks for: gateway_responses.py STACK STAGE.

API Gateway takes them from the definition that SAM writes (x-amazon-apigateway-gateway-responses). MiniStack 1.5 knows
gateway responses but skips that part of a definition, so here they are set by the API call of the same meaning.
"""

import sys

import boto3


def definition_of(stack: str) -> tuple[str, dict]:
    """The API's id, and the OpenAPI definition in the stack's processed template."""
    cloudformation = boto3.client("cloudformation")
    template = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            detail = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
            return detail["StackResourceDetail"]["PhysicalResourceId"], resource["Properties"]["Body"]
    raise SystemExit(f"stack {stack} has no REST API")


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
    # They take effect with a deployment. A new one gets the stage; the stack's own stays, unused.
    gateway.create_deployment(restApiId=api_id, stageName=stage, description="with gateway responses")


main(sys.argv[1], sys.argv[2])
