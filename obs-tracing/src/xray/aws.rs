//! What a segment says about what the service runs on: `origin` and the `aws` block.
//!
//! The members are those of X-Ray's segment documents
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>), the attributes
//! those of OpenTelemetry's resource.

use obs_core::json::Object;

use crate::resource::Resource;

/// The kind of AWS resource.
pub(crate) fn origin(resource: &Resource) -> Option<&'static str> {
    match resource.text("cloud.platform")? {
        "aws_lambda" => Some("AWS::Lambda::Function"),
        "aws_ecs" => Some("AWS::ECS::Container"),
        "aws_eks" => Some("AWS::EKS::Container"),
        "aws_ec2" => Some("AWS::EC2::Instance"),
        "aws_elastic_beanstalk" => Some("AWS::ElasticBeanstalk::Environment"),
        _ => None,
    }
}

/// The members of the `aws` block that the resource gives.
pub(super) fn write(resource: &Resource, block: &mut Object<'_>) {
    if let Some(account) = resource.text("cloud.account.id") {
        block.str("account_id", account);
    }
    let mut part = |name: &str, members: &[(&str, &str)]| {
        let known = || {
            members.iter().filter_map(|(key, from)| resource.text(from).map(|text| (*key, text)))
        };
        if known().next().is_some() {
            let mut object = block.object(name);
            known().for_each(|(key, text)| {
                object.str(key, text);
            });
            object.end();
        }
    };
    match resource.text("cloud.platform") {
        Some("aws_ecs") => part(
            "ecs",
            &[
                ("container", "container.name"),
                ("container_id", "container.id"),
                ("container_arn", "aws.ecs.container.arn"),
            ],
        ),
        Some("aws_eks") => part(
            "eks",
            &[
                ("cluster_name", "k8s.cluster.name"),
                ("pod", "k8s.pod.name"),
                ("container_id", "container.id"),
            ],
        ),
        // A host that is no instance has an id as well.
        Some("aws_ec2") => {}
        _ => return write_rest(resource, block),
    }
    part(
        "ec2",
        &[
            ("instance_id", "host.id"),
            ("availability_zone", "cloud.availability_zone"),
            ("instance_size", "host.type"),
            ("ami_id", "host.image.id"),
        ],
    );
    write_rest(resource, block);
}

fn write_rest(resource: &Resource, block: &mut Object<'_>) {
    if let Some(group) = resource.text("aws.log.group.names") {
        let mut groups = block.array("cloudwatch_logs");
        let mut object = groups.object();
        object.str("log_group", group);
        if let Some(arn) = resource.text("aws.log.group.arns") {
            object.str("arn", arn);
        }
        object.end();
        groups.end();
    }
    let mut sdk = block.object("xray");
    sdk.str("sdk", "Obs for Rust").str("sdk_version", env!("CARGO_PKG_VERSION"));
    sdk.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &str)], kind: Option<&str>, expected: &str) {
        let resource = Resource::of(pairs);
        let mut out = Vec::new();
        let mut block = Object::begin(&mut out);
        write(&resource, &mut block);
        block.end();
        let sdk = format!(
            r#""xray":{{"sdk":"Obs for Rust","sdk_version":"{}"}}}}"#,
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(String::from_utf8(out).unwrap(), format!("{{{expected}{sdk}"));
        assert_eq!(origin(&resource), kind);
    }

    #[test]
    fn each_platform_has_its_block() {
        check(&[], None, "");
        check(
            &[("cloud.platform", "aws_lambda"), ("aws.log.group.names", "/aws/lambda/f")],
            Some("AWS::Lambda::Function"),
            r#""cloudwatch_logs":[{"log_group":"/aws/lambda/f"}],"#,
        );
        check(
            &[
                ("cloud.platform", "aws_ecs"),
                ("cloud.account.id", "123456789012"),
                ("container.name", "web"),
                ("container.id", "c1"),
                ("cloud.availability_zone", "eu-west-1a"),
            ],
            Some("AWS::ECS::Container"),
            concat!(
                r#""account_id":"123456789012","ecs":{"container":"web","container_id":"c1"},"#,
                r#""ec2":{"availability_zone":"eu-west-1a"},"#
            ),
        );
        check(
            &[("cloud.platform", "aws_eks"), ("k8s.pod.name", "web-1")],
            Some("AWS::EKS::Container"),
            r#""eks":{"pod":"web-1"},"#,
        );
        check(
            &[
                ("cloud.platform", "aws_ec2"),
                ("host.id", "i-1"),
                ("host.type", "m5.large"),
                ("host.image.id", "ami-1"),
            ],
            Some("AWS::EC2::Instance"),
            r#""ec2":{"instance_id":"i-1","instance_size":"m5.large","ami_id":"ami-1"},"#,
        );
    }
}
