"""A participant of sagas in Python: it charges cards and refunds them."""
import json, logging, os, time
from contextlib import closing
import pika, psycopg2


class Refused(Exception):
    """A business no: nothing took effect."""


def charge(db, saga, payload):
    if payload["cents"] > 10000:
        raise Refused("Above the card's limit")
    db.execute("INSERT INTO charge (saga, cents) VALUES (%s, %s)", (saga, payload["cents"]))
    return {"receipt": saga}


def refund(db, saga, payload):
    db.execute("INSERT INTO charge (saga, cents) SELECT saga, -cents FROM charge WHERE saga = %s", (saga,))
    return {}


def refuse(db, saga, payload):
    raise Refused("Not a step of this service")


WORK = {("payment", "REQUEST"): charge, ("payment", "CANCEL"): refund}
DONE = {"REQUEST": "succeeded", "CONFIRM": "confirmed", "CANCEL": "compensated"}


def handle(connection, message, body):
    """One command is one transaction. Returns why the message is none, if so."""
    with connection, connection.cursor() as db:
        db.execute("SELECT run, unreadable, saga, step, operation, payload::text FROM saga_command_take(%s, %s)", (message, body))
        run, unreadable, saga, step, operation, payload = db.fetchone()
        if not run:
            return unreadable
        answer = "SELECT saga_command_answer(%s, %s, %s)"
        db.execute("SAVEPOINT work")
        try:
            output = WORK.get((step, operation), refuse)(db, saga, json.loads(payload))
            db.execute(answer, (message, DONE[operation], json.dumps(output)))
        except Refused as no:
            db.execute("ROLLBACK TO SAVEPOINT work")
            db.execute(answer, (message, "failed", json.dumps({"type": "urn:problem:payment:refused", "title": str(no)})))
        except Exception:
            logging.exception("%s of saga %s: answered retry", operation, saga)
            db.execute("ROLLBACK TO SAVEPOINT work")
            db.execute(answer, (message, "retry", "{}"))


def serve(connection, broker):
    with connection, connection.cursor() as db:
        db.execute("SELECT * FROM saga_command_queue()")
        service, mark, queue, arguments, dead, dead_arguments = db.fetchone()
    channel = broker.channel()
    channel.exchange_declare("saga.commands", "topic", durable=True)
    channel.exchange_declare("saga.dead", "direct", durable=True)
    channel.queue_declare(dead, durable=True, arguments=dead_arguments)
    channel.queue_bind(dead, "saga.dead", mark)
    channel.queue_declare(queue, durable=True, arguments=arguments)
    channel.queue_bind(queue, "saga.commands", service)
    channel.basic_qos(prefetch_count=20)
    for method, properties, body in channel.consume(queue):
        names = ("message_id", "reply_to", "content_type", "content_encoding", "headers")
        message = json.dumps({name: getattr(properties, name) for name in names}, default=str)
        unreadable = handle(connection, message, body)
        if unreadable:
            logging.error("message %s goes to %s: %s", properties.message_id, dead, unreadable)
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)


pause = 0.5
while True:  # whatever ends the session: what was not acknowledged comes again
    began = time.monotonic()
    try:
        with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, \
                pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as broker:
            serve(connection, broker)
    except Exception as error:
        logging.error("the session ended, the next one begins after a pause: %s", error)
    pause = 1 if time.monotonic() - began > 60 else min(2 * pause, 30)
    time.sleep(pause)
