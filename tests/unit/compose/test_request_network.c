/* A service's places on networks, its names there, and its ports. */
#include "wish.h"

static void it_is_on_its_networks_under_its_names(void **state)
{
	struct wished usual CLEAN_WISHED = {0}, addressed CLEAN_WISHED = {0};

	assert_wish(&usual, "services: {a: {image: i}}");
	assert_list(usual.request->networks, "name=p_default,alias=p-a-1,alias=a");
	assert_wish(&addressed,
		    "services: {a: {image: i, networks: {n: {aliases: [x, y.test], ipv4_address: 10.1.0.5,\n"
		    " ipv6_address: 'fd00::5', mac_address: '02:00:00:00:00:05', gw_priority: 7}}}}\n"
		    "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}");
	assert_list(addressed.request->networks,
		    "name=p_n,ip=10.1.0.5,ip6=fd00::5,mac-address=02:00:00:00:00:05,gw-priority=7,"
		    "alias=p-a-1,alias=a,alias=x,alias=y.test");
}

static void networks_are_in_the_order_of_their_priorities(void **state)
{
	struct wished wished CLEAN_WISHED = {0};

	assert_wish(&wished, "services: {a: {image: i, mac_address: '02:00:00:00:00:01', networks: {c: , b: ,\n"
			     " d: {priority: 5}, a: {priority: -1}}}}\n"
			     "networks: {a: , b: {name: other}, c: {external: true}, d: }");
	/* The service's own address is that of its first. */
	assert_list(wished.request->networks,
		    "name=p_d,mac-address=02:00:00:00:00:01,alias=p-a-1,alias=a|name=other,alias=p-a-1,alias=a|"
		    "name=c,alias=p-a-1,alias=a|name=p_a,alias=p-a-1,alias=a");
}

static void it_answers_to_what_others_link_it_as(void **state)
{
	static const char text[] = "services: {a: {image: i, networks: {default: {aliases: [x]}}},\n"
				   " b: {image: i, links: ['a:database', a, 'ab:no']}, ab: {image: i}}";
	struct wished linked CLEAN_WISHED = {0}, silent CLEAN_WISHED = {0}, renamed CLEAN_WISHED = {0},
			     other CLEAN_WISHED = {0};

	assert_wish(&linked, text);
	assert_list(linked.request->networks, "name=p_default,alias=p-a-1,alias=a,alias=x,alias=database");
	assert_wish(&other, text, .service = "ab");
	assert_list(other.request->networks, "name=p_default,alias=p-a-1,alias=ab,alias=no");
	assert_wish(&silent, text, .no_aliases = true);
	assert_list(silent.request->networks, "name=p_default,alias=p-a-1");
	assert_wish(&renamed, text, .alias = "p-a-2", .no_aliases = true);
	assert_list(renamed.request->networks, "name=p_default,alias=p-a-2");
}

static void a_mode_stands_for_networks(void **state)
{
	struct wished none CLEAN_WISHED = {0}, disabled CLEAN_WISHED = {0}, named CLEAN_WISHED = {0};

	assert_wish(&none, "services: {a: {image: i, network_mode: none}}");
	assert_list(none.request->networks, "none");
	assert_wish(&disabled, "services: {a: {image: i, network_mode: disabled}}");
	assert_list(disabled.request->networks, "none");
	assert_wish(&named, "services: {a: {image: i, network_mode: bridge}}");
	assert_list(named.request->networks, "bridge");
	check_wish_refused(
		"services: {a: {image: i, network_mode: host}}",
		"compose.yaml:1:40: services.a.network_mode: \"host\" cannot be: each container is a machine");
	check_wish_refused("services: {a: {image: i, network_mode: 'service:b'}, b: {image: i}}",
			   "compose.yaml:1:40: services.a.network_mode: \"service:b\" cannot be");
	check_wish_refused("services: {a: {image: i, network_mode: 'container:x'}}",
			   "compose.yaml:1:40: services.a.network_mode: \"container:x\" cannot be");
}

static void names_are_resolved_as_the_file_says(void **state)
{
	struct wished wished CLEAN_WISHED = {0}, plain CLEAN_WISHED = {0};

	assert_wish(&wished,
		    "services: {a: {image: i, dns: [1.1.1.1, '::1'], dns_search: s.test, dns_opt: ['ndots:2'],\n"
		    " extra_hosts: ['one:1.2.3.4', 'two=fd00::1', 'up:host-gateway']}}");
	assert_list(wished.request->dns, "1.1.1.1|::1");
	assert_list(wished.request->dns_search, "s.test");
	assert_list(wished.request->dns_options, "ndots:2");
	assert_list(wished.request->extra_hosts, "one:1.2.3.4|two:fd00::1|up:host-gateway");
	assert_wish(&plain, "services: {a: {image: i}}");
	assert_list(plain.request->dns, "");
	assert_list(plain.request->extra_hosts, "");
}

static void ports_are_published_as_written(void **state)
{
	struct wished wished CLEAN_WISHED = {0};

	assert_wish(&wished,
		    "services: {a: {image: i, expose: ['9000', '53/udp'], ports: [80, '8080:80', '127.0.0.1:1:2',\n"
		    " '[::1]:5000-5010:53/udp', {target: 443, published: '8443', protocol: tcp},\n"
		    " {target: 7, host_ip: 10.0.0.1}]}}");
	assert_list(wished.request->publish, "80/tcp|8080:80/tcp|127.0.0.1:1:2/tcp|[::1]:5000-5010:53/udp|"
					     "8443:443/tcp|10.0.0.1::7/tcp");
	assert_list(wished.request->expose, "9000|53/udp");
	check_wish_refused("services:\n  a:\n    image: i\n    ports:\n      - '9:9/sctp'\n", "compose.yaml:5:9: ");
	check_wish_refused("services:\n  a:\n    image: i\n    ports:\n      - 80\n      - {target: 99999}\n",
			   "compose.yaml:6:9: ");
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, project_setup, project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(it_is_on_its_networks_under_its_names),
		REQUEST_TEST(networks_are_in_the_order_of_their_priorities),
		REQUEST_TEST(it_answers_to_what_others_link_it_as),
		REQUEST_TEST(a_mode_stands_for_networks),
		REQUEST_TEST(names_are_resolved_as_the_file_says),
		REQUEST_TEST(ports_are_published_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
