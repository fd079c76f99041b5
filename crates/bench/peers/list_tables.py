"""Lists the tables, as a boto3 script does."""
import sys

import boto3

client = boto3.client("dynamodb", endpoint_url=sys.argv[1])
for page in client.get_paginator("list_tables").paginate():
    for name in page["TableNames"]:
        print(name)
