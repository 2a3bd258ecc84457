"""The worker against other ways to do its job on Kafka: ``make bench-pipeline``."""
