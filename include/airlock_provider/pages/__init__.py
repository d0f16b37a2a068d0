"""Pages of Airlock in the Airflow UI. They show ids, counts and states, and no patient data."""
