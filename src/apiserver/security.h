// Identity, permission and policy of the API server, made once from its options.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/auth/options.h"
#include "apiserver/request.h"
#include "apiserver/strategy.h"
#include "base/clock.h"
#include "pki/jwt.h"

namespace skiff::apiserver {

struct SecurityOptions {
  std::string clientCaPem;
  std::string requestHeaderCaPem;            // front proxy
  std::vector<std::string> requestHeaderAllowedNames;  // common names of its certificates; empty: any of that CA
  std::vector<pki::JwtKey> serviceAccountKeys;  // the first signs
  std::string serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local";
  std::vector<std::string> otherServiceAccountIssuers;  // whose tokens are taken too: while an issuer is renamed
  std::vector<std::string> apiAudiences;     // default: the issuers
  std::string serviceAccountJwksUri;         // told by discovery; default: this server's own address
  bool extendTokenExpiration = true;         // of the tokens that pods get, for clients that never read them again
  std::chrono::seconds maxTokenExpiration{0};  // of requested tokens; 0: no other than the API's
  std::string tokenFile;                     // static tokens: token,user,uid,"group1,group2"
  bool anonymousHealth = true;               // only /healthz, /livez, /readyz
  bool anonymous = false;                    // who shows no credentials is system:anonymous everywhere
  std::vector<std::string> authorizationModes{"Node", "RBAC"};
  std::string serviceCidr = "10.96.0.0/16";
  int nodePortFirst = 30000, nodePortLast = 32767;
  AuthenticationOptions authentication;
  AuthorizationOptions authorization;
  ReadKubeconfig readKubeconfig;             // of webhooks
  const Clock* clock = &Clock::real();
};

// Both need their start().
std::unique_ptr<Authenticator> makeAuthenticator(const SecurityOptions&, const ClusterReader&);
std::unique_ptr<Authorizer> makeAuthorizer(const SecurityOptions&, const ClusterReader&);
// Upstream's default plug-ins in upstream's order.
std::vector<std::unique_ptr<AdmissionPlugin>> makeAdmission(const SecurityOptions&, ClusterReader&, Authorizer&);
std::unique_ptr<Strategies> makeStrategies(const SecurityOptions&, ClusterReader&, Authorizer&);

// Objects that a new server creates by itself, and reconciles at start (RBAC adds what is missing): JSON documents.
std::vector<std::string> bootstrapObjects(const SecurityOptions&, std::string_view advertiseAddress, int port);

// Virtual resources of authentication and authorization: TokenReview, SubjectAccessReview & co, SelfSubjectReview, and
// the serviceaccounts/token subresource. The object is filled in place.
Status reviewToken(codec::Value& review, codec::Arena&, Authenticator&);
Status reviewAccess(codec::Value& review, codec::Arena&, const AdmissionRequest&, Authorizer&);  // by kind
Status issueToken(codec::Value& tokenRequest, codec::Arena&, const AdmissionRequest&, const SecurityOptions&,
                  const ClusterReader&);

}  // namespace skiff::apiserver
