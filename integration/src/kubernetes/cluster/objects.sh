# Nodes and API servers take their Leases whenever they get to it.
kinds=$(kubectl api-resources --verbs=list --output=name | grep --invert-match --extended-regexp '^(events|componentstatuses)' | paste --serial --delimiters=,)
kubectl get "$kinds" --all-namespaces --no-headers \
  --output=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name |
  { grep --invert-match --extended-regexp '^Lease +(kube-node-lease|kube-system +apiserver-)' || true; }
