"""Airlock: moves DICOM studies from the identified clinical side to the research side.

This package is the domain. It never imports Airflow; every module runs and is tested without it.
"""
