"""Prints the outputs of a stack as one JSON object: stack_outputs.py STACK. The endpoint comes from AWS_ENDPOINT_URL."""

import json
import sys

import boto3

stack = boto3.client("cloudformation").describe_stacks(StackName=sys.argv[1])["Stacks"][0]
print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}, indent=2))
