"""Moves commands from the queue into the function handle_command, and nothing else."""
import json, logging, os, time
from contextlib import closing
import pika, psycopg2


def serve(connection, broker):
    connection.autocommit = True  # each statement is a transaction
    db = connection.cursor()
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
        db.execute("SELECT handle_command(%s, %s)", (message, body))
        unreadable = db.fetchone()[0]
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
