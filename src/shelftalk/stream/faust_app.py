"""Faust's own settings, for all that it decides for us and all that it must not."""

import faust

from shelftalk.stream.batch import BUFFERED_BATCHES
from shelftalk.stream.login import faust_broker
from shelftalk.stream.settings import Settings


def faust_app(settings: Settings) -> faust.App:
    """An app that runs inside a worker of our own, on the brokers of the settings; it has no transport of ours yet."""
    kafka = settings.kafka
    app = faust.App(
        settings.app_id,
        **faust_broker(kafka),
        broker_client_id=kafka.client_id,
        broker_commit_interval=kafka.commit_interval_s,
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=kafka.session_timeout_s / 4,
        broker_request_timeout=kafka.request_timeout_s,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        store="memory://",  # our tables keep their rows themselves
        datadir=settings.data_dir,
        topic_partitions=settings.topics.partitions,
        topic_replication_factor=settings.topics.replication_factor,
        topic_allow_declare=False,  # `Worker` has seen to them
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=True,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.in_worker = True
    return app
