// etcd's API over gRPC, on the members of a cluster: calls go to one of them, and to the next when it fails.
#pragma once
#include <memory>
#include <vector>

#include "net/http_client.h"
#include "store/etcd/api.h"

namespace skiff::store::etcd {

std::unique_ptr<Api> makeGrpcApi(std::vector<net::Endpoint> members);

}  // namespace skiff::store::etcd
