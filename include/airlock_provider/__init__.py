"""Airflow provider of Airlock: hooks, operators, sensors and triggers."""
