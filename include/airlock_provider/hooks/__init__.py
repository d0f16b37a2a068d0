"""Hooks: from an Airflow connection to the clients that Airlock works with."""
