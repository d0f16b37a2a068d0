"""What the steps measure arrives at collectors, as Airflow's own metrics do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

ROOT = __file__.rpartition("/tests/")[0]


@pytest.fixture
def run_steps(tmp_path):
    def run(**environment):
        done = subprocess.run(
            [sys.executable, "-m", "tests.measured_step", str(tmp_path)],
            env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow"), **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run


@pytest.fixture
def collector():
    """An OpenTelemetry collector: what was posted to it, by path."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_opentelemetry(run_steps, collector):
    port, posted = collector
    run_steps(
        AIRFLOW__METRICS__OTEL_ON="True",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    assert {path for path, _ in posted} == {"/v1/metrics"}
    found = {}
    for _, body in posted:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                found[metric.name] = metric
    duration = found["airflow.airlock.step.screen_instances.duration"]
    (point,) = duration.exponential_histogram.data_points
    assert (point.count, point.sum >= 0) == (1, True)
    (failures,) = found["airflow.airlock.step.pull_study.failed"].sum.data_points
    assert failures.as_int == 1 or failures.as_double == 1


@pytest.mark.skipif(find_spec("statsd") is None, reason="Airflow's StatsD client is an optional package")
def test_statsd(run_steps):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.5)
        port = listening.getsockname()[1]
        run_steps(
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
            AIRFLOW__METRICS__STATSD_PORT=str(port),
        )
        received = b""
        with suppress(TimeoutError):
            while True:
                received += listening.recv(65536) + b"\n"
    lines = received.decode().splitlines()
    assert "airflow.airlock.step.pull_study.failed:1|c" in lines
    assert any(line.startswith("airflow.airlock.step.screen_instances.duration:") for line in lines)
