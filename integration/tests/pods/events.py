# Reads a stream of events; asks for the next only when the last one is here, so a proxy that collects would hang.
import http.client
import sys

host = sys.argv[1]
stream = http.client.HTTPConnection(host, timeout=20)
stream.request("GET", "/events")
response = stream.getresponse()
print(response.status, response.getheader("content-type"))
for _ in range(4):
    line = response.readline().decode().strip()
    assert response.readline() == b"\n"
    print(line)
    other = http.client.HTTPConnection(host, timeout=20)
    other.request("GET", "/next")
    assert other.getresponse().status == 200
assert response.read() == b""
