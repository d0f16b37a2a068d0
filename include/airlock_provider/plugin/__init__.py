"""What Airlock adds to Airflow's API server and scheduler."""
