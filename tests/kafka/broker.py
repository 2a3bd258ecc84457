"""A real Apache Kafka on loopback: one KRaft node, resolved by Maven, started in seconds, gone with the process that started it.

``python tests/kafka/broker.py`` runs one in the foreground (``make kafka``). Only the standard library is used, Java 17 and Maven
must be there. The first run downloads some 45 MB into Maven's own repository; later ones read a class path from the cache.
"""

import argparse
import base64
import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

POM = Path(__file__).with_name("pom.xml")

#: On the first run Maven downloads Kafka; a registry that trickles must not hold the tests for ever.
RESOLVE_DEADLINE_S = 540
FORMAT_DEADLINE_S = 60
#: Two seconds on an idle machine; a test machine may be anything but idle.
START_DEADLINE_S = 90
STOP_DEADLINE_S = 15

#: Small, because a test machine runs other things: class-data sharing and only the first compiler start the JVM soonest.
JVM_OPTIONS = (
    "-Xms96m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)

STARTED = "Kafka Server started (kafka.server.KafkaRaftServer)"
PORT_TAKEN = "Address already in use"

#: What differs from Kafka's defaults, and why.
CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
log.dirs={data}
# Topics are declared, never made by a slip of the pen.
auto.create.topics.enable=false
num.partitions=4
# One node holds everything once.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
# A group of one should not wait for a second member; workers of tests may be declared dead soon.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After a kill the node may register again only when its old session has ended: 4 s instead of 9.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
# The cleaner's default buffer is a third of the heap above; it looks for work often, so that tests can watch compaction.
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.io.buffer.size=262144
log.cleaner.backoff.ms=500
num.network.threads=2
num.io.threads=4
"""

#: Added for a broker that asks who is there. Certificates are for ``localhost``, and for that name alone.
SECURED = """\
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
# Who comes to the SSL listener shows a certificate, who comes to the SASL listener a login.
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_{user}="{password}";
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule \\
  required unsecuredLoginStringClaim_sub="broker";
"""

LOGGING = """\
status = error
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = STDOUT
"""


@dataclass(frozen=True)
class Secured:
    """What a broker with TLS and SASL needs: SCRAM-SHA-512 and PLAIN for one user, OAUTHBEARER for any unsigned token.

    Attributes:
        keystore: its key (PKCS#8) and certificate, PEM.
        truststore: who signs clients' certificates, PEM.
    """

    keystore: Path
    truststore: Path
    user: str
    password: str


class KafkaUnavailableError(RuntimeError):
    """No Apache Kafka can be had here; the message says what is missing."""


class _PortTakenError(Exception):
    """Somebody took the port between choosing and binding it."""


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shelftalk"


def _program(name: str, wanted: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise KafkaUnavailableError(f"{name} is not on the PATH; a real Kafka for tests needs {wanted}")
    return found


def class_path() -> str:
    """Kafka's jars and their dependencies, as ``java -cp`` takes them.

    Raises:
        KafkaUnavailableError: Maven is absent, or could not resolve them.
    """
    cached = _cache_dir() / f"kafka-classpath-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}.txt"
    if cached.is_file():
        jars = cached.read_text()
        if all(Path(jar).is_file() for jar in jars.split(os.pathsep)):  # Maven's repository may have been emptied
            return jars
    maven = _program("mvn", "Maven (Debian: apt-get install maven)")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        output = Path(folder) / "classpath"
        goal = "org.apache.maven.plugins:maven-dependency-plugin:build-classpath"
        command = [maven, "-q", "-B", "-f", str(POM), goal, f"-Dmdep.outputFile={output}"]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=RESOLVE_DEADLINE_S,
            )
        except subprocess.TimeoutExpired:
            raise KafkaUnavailableError(f"Maven did not resolve Kafka within {RESOLVE_DEADLINE_S} s") from None
        if done.returncode != 0 or not output.is_file():
            said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            raise KafkaUnavailableError(f"Maven could not resolve Kafka: {said[0] if said else 'no message'}")
        jars = output.read_text().strip()
        output.replace(cached)  # atomic: another test run may be reading
    return jars


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Runs in the child before java: a killed pytest must not leave a broker behind (Linux only)."""
    if _libc is not None:
        pr_set_pdeathsig = 1
        _libc.prctl(pr_set_pdeathsig, signal.SIGKILL)


class KafkaBroker:
    """One broker: its folder, its process.

    Attributes:
        folder: holds configuration, data and log; survives `stop`, so a second `start` finds the data.
        bootstrap: ``host:port`` once started; the same after a restart.
        behind: the ports of further listeners by name, once started.
        tls, sasl: of the listeners that are secured, where there are any.
    """

    tls = sasl = ""

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        proxies: Mapping[str, int] | None = None,
        secured: Secured | None = None,
    ) -> None:
        """A broker that is not running yet.

        Args:
            folder: see above.
            port: for clients; a free one if not given.
            proxies: further listeners by name (capitals), each with the port of the proxy that clients are told to use.
            secured: listeners with TLS and SASL, too.
        """
        self._secured = secured
        self.folder = folder
        self.log = folder / "broker.log"
        self._config = folder / "server.properties"
        self.behind: dict[str, int] = {}
        self._wanted_port = port
        self._proxies = dict(proxies or {})
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        if self._port is None:
            raise RuntimeError("the broker was never started")
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, deadline_s: float = START_DEADLINE_S) -> None:
        """Start, or start again after `stop` or `kill`; returns when clients are served.

        Raises:
            KafkaUnavailableError: java or Maven is absent, or the broker ended or was not ready in time.
        """
        java = _program("java", "Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
        command = [
            java,
            *JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            class_path(),
        ]
        first = self._port is None
        for attempt in range(3):
            if self._port is None:
                self._prepare(command)
            try:
                self._launch(command, deadline_s)
            except _PortTakenError:
                if not first or attempt == 2 or self._wanted_port is not None:
                    raise KafkaUnavailableError(f"port {self._port} is taken; see {self.log}") from None
                self._port = None
            else:
                return

    def _prepare(self, command: list[str]) -> None:
        """Write the configuration and format the storage, as a KRaft node wants before its first start."""
        port, controller_port, tls_port, sasl_port, *more = _free_ports(4 + len(self._proxies))
        self.behind = dict(zip(self._proxies, more, strict=True))
        self._port = self._wanted_port or port
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Certificates are for localhost.
        listeners = [
            (name, f"127.0.0.1:{own}", f"127.0.0.1:{self._proxies[name]}", "PLAINTEXT")
            for name, own in self.behind.items()
        ]
        secured, scram = "", []
        if self._secured is not None:
            self.tls, self.sasl = f"localhost:{tls_port}", f"localhost:{sasl_port}"
            listeners.append(("SSL", f"127.0.0.1:{tls_port}", self.tls, "SSL"))
            listeners.append(("SASL_SSL", f"127.0.0.1:{sasl_port}", self.sasl, "SASL_SSL"))
            secured = SECURED.format(**vars(self._secured))
            scram = ["--add-scram", f"SCRAM-SHA-512=[name={self._secured.user},password={self._secured.password}]"]
        config = CONFIG.format(
            port=self._port,
            controller_port=controller_port,
            data=data,
            more_listeners="".join(f",{name}://{own}" for name, own, _, _ in listeners),
            more_advertised="".join(f",{name}://{shown}" for name, _, shown, _ in listeners),
            more_protocols="".join(f",{name}:{protocol}" for name, _, _, protocol in listeners),
        )
        self._config.write_text(config + secured)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        cluster_id = (
            base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        )  # never begins with "-"
        tool = [*command, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._config), *scram]
        done = subprocess.run(tool, capture_output=True, text=True, check=False, timeout=FORMAT_DEADLINE_S)
        if done.returncode != 0:
            raise KafkaUnavailableError(
                f"Kafka could not format its storage: {(done.stdout + done.stderr).strip()[-500:]}"
            )

    def _launch(self, command: list[str], deadline_s: float) -> None:
        deadline = time.monotonic() + deadline_s
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [*command, "kafka.Kafka", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  it makes one system call and takes no lock
            )
        while STARTED not in (said := self._said_since(begin)):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                if PORT_TAKEN in said:
                    raise _PortTakenError
                why = "ended at once" if ended else f"was not ready within {deadline_s:.0f} s"
                raise KafkaUnavailableError(f"Kafka {why}; {self.log} ends: {said[-500:]}")
            time.sleep(0.05)

    def _said_since(self, begin: int) -> str:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut down in order; killed if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def main() -> None:
    """Run one broker in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="Run one Apache Kafka node on loopback, in the foreground.")
    parser.add_argument("--port", type=int, default=9092, help="the port for clients (default: %(default)s)")
    parser.add_argument(
        "--folder", type=Path, help="keep configuration, data and log here (default: a temporary folder)"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shelftalk-kafka-")))
        broker = KafkaBroker(folder.resolve(), arguments.port)
        print("Starting Apache Kafka (the first time, Maven downloads some 45 MB) ...", flush=True)
        try:
            with broker:
                print(f"Ready: {broker.bootstrap}   log: {broker.log}   Ctrl-C stops it.", flush=True)
                while broker.running:
                    time.sleep(0.5)
                sys.exit(f"Kafka ended by itself; see {broker.log}")
        except KeyboardInterrupt:
            print("\nStopped.", flush=True)
        except KafkaUnavailableError as error:
            sys.exit(f"kafka: {error}")


if __name__ == "__main__":
    main()
