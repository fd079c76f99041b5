"""Writes a table to JSON lines, as a boto3 script does."""
import json
import sys

import boto3

client = boto3.client("dynamodb", endpoint_url=sys.argv[1])
for page in client.get_paginator("scan").paginate(TableName=sys.argv[2]):
    for item in page["Items"]:
        print(json.dumps(item))
