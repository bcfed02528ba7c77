// The transport between roles of one process: a direct call into the API server, objects passed as they are.
#pragma once
#include <memory>

#include "apiserver/request.h"
#include "apiserver/server.h"
#include "client/transport.h"

namespace skiff::cmd {

// The API server must outlive it. Calls are made as `user`, without authentication.
std::shared_ptr<client::Transport> inProcessTransport(apiserver::ApiServer& server, apiserver::UserInfo user);

}  // namespace skiff::cmd
