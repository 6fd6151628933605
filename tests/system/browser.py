"""A page in a real browser: chromedriver's own protocol (W3C WebDriver), spoken with the standard library alone."""
import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request

PROGRAMS = ("chromium", "chromedriver")


def missing():
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """Headless Chromium with a window of `width` x `height` CSS pixels."""

    def __init__(self, width, height=900):
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader",
                     "--enable-unsafe-swiftshader", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self._wait_for_driver()
        self.session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        self._ask("POST", self._path("/goog/cdp/execute"),
                  {"cmd": "Emulation.setDeviceMetricsOverride",
                   "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        try:
            self._ask("DELETE", self._path(""))
        finally:
            self.driver.kill()
            self.driver.wait()

    def _path(self, rest):
        return f"/session/{self.session}{rest}"

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(self.address + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def _wait_for_driver(self):
        for _ in range(300):
            try:
                self._ask("GET", "/status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("chromedriver does not answer")

    def open(self, path):
        self._ask("POST", self._path("/url"), {"url": path.resolve().as_uri()})

    def run(self, script, *arguments):
        """The value that the function body `script` returns."""
        return self._ask("POST", self._path("/execute/sync"), {"script": script, "args": list(arguments)})

    def wait_until(self, script, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.run(script):
                return
            time.sleep(0.2)
        raise AssertionError(f"never came true: {script}")

    def complaints(self):
        """Errors of the console."""
        lines = self._ask("POST", self._path("/se/log"), {"type": "browser"})
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

    def requests(self):
        """Addresses of everything that the page asked for, itself aside."""
        met = []
        for line in self._ask("POST", self._path("/se/log"), {"type": "performance"}):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                met.append(message["params"]["request"]["url"])
        return [url for url in met if not url.startswith(("file:", "data:", "blob:"))]

    def picture(self, path):
        path.write_bytes(base64.b64decode(self._ask("GET", self._path("/screenshot"))))
