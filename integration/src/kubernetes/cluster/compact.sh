# etcd's history is dropped: whoever asks for what came after an older version is answered 410.
etcd() {
  exec 3<>/dev/tcp/127.0.0.1/2379
  printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$1" "${#2}" "$2" >&3
  cat <&3
}
revision=$(etcd /v3/kv/range '{"key": "AA=="}' | grep --only-matching '"revision":"[0-9]*"')
etcd /v3/kv/compaction "{$revision, \"physical\": true}"
