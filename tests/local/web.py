"""A small web service behind the local region's load balancer, for tests of services and of the balancer."""

from typing import Any

import httpx

from tests.local.bench import Bench

SERVER = """
import http.server, os, time
LEFT = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        status = int(os.environ.get('STATUS', 200)) if self.path == '/health' else 200
        if self.path == '/quiet':
            self.send_response(200)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            self.connection.recv(1)
            LEFT.append(1)
            return
        if self.path == '/left':
            status = 200 if LEFT else 404
        if self.path == '/stream':
            self.send_response(200)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            for number in range(3):
                self.wfile.write(b'2\\r\\n%d\\n\\r\\n' % number)
                time.sleep(0.3)
            self.wfile.write(b'0\\r\\n\\r\\n')
            return
        body = repr((os.environ['VERSION'], self.path, self.headers.get('X-Forwarded-For'))).encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_PUT(self):
        self.close_connection = True
        self.send_response(413)
        self.send_header('Content-Length', '9')
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(b'too large')
    def do_POST(self):
        length = self.headers['Content-Length']
        body = self.rfile.read(int(length)) if length else b''
        while not length and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size + 2)[:-2]
        self.send_response(201)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
address = (os.environ['HOST'], int(os.environ.get('PORT', 8080)))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""
ROLLING = {
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
}


class Web:
    """A service behind the region's load balancer; `register` makes a further revision of its family."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.region = bench.region
        self.ecs = self.region.client("ecs")
        self.elb = self.region.client("elbv2")
        other = bench.make_subnet("10.0.30.0/24", "us-east-1b")
        self.family = name = f"web-{bench.number}"
        balancer = self.elb.create_load_balancer(Name=name, Subnets=[bench.subnet, other])
        self.balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        group = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=bench.vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        self.group = group["TargetGroups"][0]["TargetGroupArn"]
        action = {"Type": "forward", "TargetGroupArn": self.group}
        self.elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80, DefaultActions=[action]
        )
        self.image = bench.program(SERVER)

    def register(self, version: str, image: str = "", **environment: str) -> str:
        variables = [{"name": k, "value": v} for k, v in {"VERSION": version, **environment}.items()]
        return self.bench.register(
            image or self.image,
            self.family,
            environment=variables,
            portMappings=[{"containerPort": 8080}],
            stopTimeout=2,
        )

    def create(self, desired: int = 1) -> None:
        self.ecs.create_service(
            cluster=self.bench.cluster,
            serviceName="web",
            taskDefinition=self.family,
            desiredCount=desired,
            launchType="FARGATE",
            networkConfiguration=self.bench.network,
            loadBalancers=[{"targetGroupArn": self.group, "containerName": "main", "containerPort": 8080}],
            deploymentConfiguration=ROLLING,
        )

    def update(self, **change: Any) -> None:
        self.ecs.update_service(cluster=self.bench.cluster, service="web", **change)

    @property
    def service(self) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster=self.bench.cluster, services=["web"])
        return dict(answer["services"][0])

    @property
    def messages(self) -> list[str]:
        return [event["message"] for event in self.service["events"]]

    @property
    def tasks(self) -> list[str]:
        return list(self.ecs.list_tasks(cluster=self.bench.cluster)["taskArns"])

    def await_rollout(self) -> dict[str, Any]:
        """The service, once its one deployment is complete."""
        self.region.wait_for(
            lambda: [each["rolloutState"] for each in self.service["deployments"]] == ["COMPLETED"],
            what="the roll-out",
        )
        return self.service

    def health(self) -> list[dict[str, str]]:
        answer = self.elb.describe_target_health(TargetGroupArn=self.group)
        return [each["TargetHealth"] for each in answer["TargetHealthDescriptions"]]

    def get(self, path: str = "/") -> httpx.Response:
        return httpx.get(self.region.api_url + path, trust_env=False)

    def close(self) -> None:
        self.ecs.delete_service(cluster=self.bench.cluster, service="web", force=True)
        self.region.wait_for(lambda: self.service["status"] == "INACTIVE")
        self.elb.delete_load_balancer(LoadBalancerArn=self.balancer)
