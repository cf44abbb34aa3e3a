// Package services finds or starts the PostgreSQL and the RabbitMQ that the
// demo, the daemons in the foreground and the tests use.
//
// Each of the two servers is looked for by itself, in this order; the first way
// that works wins:
//
//   - environment: DATABASE_URL and AMQP_URL, when set. A value that does not
//     work is an error: no other way is tried behind it.
//   - running: what answers on 127.0.0.1:5432 and :5672 with the usual
//     development credentials.
//   - private: an instance under .local/ that was started before and still runs.
//   - compose: `docker compose -f deploy/compose.yaml up`, where an engine runs.
//   - private: the distribution's packages (Debian, Ubuntu), started as
//     instances of this project with everything they write under .local/.
//
// SAGA_SERVICES=environment|running|compose|private permits one way only.
//
// On every server, whoever started it, only databases and virtual hosts are changed
// and dropped that are named saga_* and bear [Mark]. What administers a broker is
// proved first to administer that one, see [Broker.ChangeVhosts]. Down stops what Up started and nothing else:
// .local/ records each process with its start time, so that a recycled process
// id is never taken for ours.
package services
