"""Loads a conversation, as a boto3 script does: it puts the messages one by one."""
import datetime
import sys
import uuid

import boto3

url, table, path = sys.argv[1:]
client = boto3.client("dynamodb", endpoint_url=url)
group = str(uuid.uuid4())
people = {"Person 1": ("Andrew Brown", "andrewbrown"), "Person 2": ("Andrew Bayko", "bayko")}
time = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
for line in open(path, encoding="utf-8"):
    speaker, _, text = line.strip().partition(": ")
    if speaker not in people:
        continue
    name, handle = people[speaker]
    time += datetime.timedelta(minutes=1)
    item = {
        "pk": f"MSG#{group}",
        "sk": time.isoformat(timespec="microseconds"),
        "message_uuid": str(uuid.uuid4()),
        "message": text,
        "user_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, handle)),
        "user_display_name": name,
        "user_handle": handle,
    }
    client.put_item(TableName=table, Item={key: {"S": value} for key, value in item.items()})
