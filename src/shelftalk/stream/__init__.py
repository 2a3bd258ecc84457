"""The Kafka shell: settings, topics, broker, producer, state tables and the worker around the pure core."""
