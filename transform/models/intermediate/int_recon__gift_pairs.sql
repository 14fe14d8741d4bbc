-- CRM+ gifts whose transaction id finds a Raise gift, by the fields of the setting `transaction_id_fields`; the first that
-- fits wins. A value that several Raise gifts share finds none of them.
{{ config(materialized='maintained_table') }}
{%- set ways = [] -%}
{%- for column in transaction_id_columns() -%}
    {%- set is_id = column == 'gift_id' -%}
    {%- do ways.append({
        'column': column,
        'crm_keys': ['pair_raise_id'] if is_id else ['pair_key', 'pair_key_without_part'],
        'raise_key': 'gift_id' if is_id else fold_text(column | string),
    }) -%}
{%- endfor %}
with crm_gifts as (
    select
        organization,
        gift_id,
        pair_key,
        pair_key_without_part,
        pair_raise_id
    from {{ ref('int_crm_plus__gift_facts') }}
    where is_pair_usable
),

{% for way in ways %}
    raise_keys_{{ loop.index }} as (
        select
            organization,
            {{ way.raise_key }} as raise_key,
            min(gift_id) as gift_id
        from {{ ref('stg_raise__gifts') }}
        where {{ way.raise_key }} is not null
        group by organization, {{ way.raise_key }}
        having count(*) = 1
    ),

{% endfor %}
found as (
    {% for way in ways %}
        {%- set way_number = loop.index -%}
        {%- set is_last_way = loop.last -%}
        {% for crm_key in way.crm_keys %}
            select
                crm_gifts.organization,
                crm_gifts.gift_id as crm_gift_id,
                raise_keys.gift_id as raise_gift_id,
                {{ way_number * 2 + loop.index0 }} as preference,
                '{{ way.column }}' as found_by
            from crm_gifts
            inner join raise_keys_{{ way_number }} as raise_keys
                on
                    crm_gifts.organization = raise_keys.organization
                    and crm_gifts.{{ crm_key }} = raise_keys.raise_key
            {% if not (is_last_way and loop.last) -%} union all {%- endif %}
        {% endfor %}
    {% endfor %}
)

select
    organization,
    crm_gift_id,
    arg_min(raise_gift_id, preference) as raise_gift_id,
    arg_min(found_by, preference) as found_by
from found
group by organization, crm_gift_id
