"""Sets the concurrency of the local event sources again, as a number: event_sources.py STACK.

MiniStack 1.5 passes the value of a Number parameter on as text, and its poller then fails to compare it. AWS converts it.
"""

import sys

import boto3


def main(stack: str) -> None:
    functions = boto3.client("lambda")
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        if resource["ResourceType"] != "AWS::Lambda::EventSourceMapping":
            continue
        mapping = functions.get_event_source_mapping(UUID=resource["PhysicalResourceId"])
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        if concurrency is not None:
            scaling = {"MaximumConcurrency": int(concurrency)}
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)


main(sys.argv[1])
