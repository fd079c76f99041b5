"""Serves one conversation, as a Flask application does: its newest messages, oldest first."""
import sys

import boto3
from boto3.dynamodb.conditions import Key
from flask import Flask, jsonify
from werkzeug.serving import make_server

table = boto3.resource("dynamodb", endpoint_url=sys.argv[1]).Table(sys.argv[2])
app = Flask(__name__)
FIELDS = ("message_uuid", "message", "user_uuid", "user_handle", "user_display_name", "sk")


@app.get("/api/messages/<group>")
def messages(group):
    of_group = Key("pk").eq(f"MSG#{group}")
    page = table.query(KeyConditionExpression=of_group, ScanIndexForward=False, Limit=20)
    return jsonify([{name: item[name] for name in FIELDS} for item in reversed(page["Items"])])


server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
