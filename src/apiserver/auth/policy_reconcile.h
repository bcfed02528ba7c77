// Brings the cluster's own roles and bindings up to what this version of the server needs: what is missing is added, what an
// administrator has added stays. Who annotates an object with rbac.authorization.kubernetes.io/autoupdate: "false" keeps it as it is.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
#pragma once
#include "codec/value.h"

namespace skiff::apiserver {

// Both are roles, or both bindings, of the same name. False: nothing is missing, or it may not be touched.
bool addMissingPolicy(codec::Value& live, const codec::Value& wanted, codec::Arena& arena);

}  // namespace skiff::apiserver
