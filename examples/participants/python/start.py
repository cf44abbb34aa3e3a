"""Starts sagas of the definition trip, as any service does: by SQL in its own transaction, or by a message."""
import argparse, json, os, uuid
from contextlib import closing
import pika, psycopg2


def by_sql(key, payload):
    """One transaction: your own rows, and the start. It needs the service's outbox and the relay that serves it."""
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, connection, connection.cursor() as db:
        # Your own statements come here. A rollback takes the start back, too.
        db.execute("SELECT saga_start('trip', %s, %s, service => 'orders')", (key, json.dumps(payload)))


def by_message(key, payload):
    """For who has no PostgreSQL: after an error, or no answer, send it again. There is one saga of a key."""
    with closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as broker:
        channel = broker.channel()
        channel.confirm_delivery()  # a publish that no queue takes, or the broker refuses, raises an error
        channel.basic_publish("", "saga.replies.orders", json.dumps({"key": key, "payload": payload}), pika.BasicProperties(
            message_id=str(uuid.uuid5(uuid.NAMESPACE_URL, "trip/" + key)), content_type="application/json", delivery_mode=2,
            headers={"cloudEvents_sagatype": "trip", "cloudEvents_sagaop": "START"}), mandatory=True)


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("way", choices=("sql", "message"))
arguments.add_argument("key", help="business key: an order's number, say. There is one saga of a key, however often it is started")
arguments.add_argument("payload", type=json.loads, help='JSON object: {"cents": 5000, "nights": 2, "seats": 1}')
given = arguments.parse_args()
{"sql": by_sql, "message": by_message}[given.way](given.key, given.payload)
