-- CRM+ gifts whose transaction id finds a Raise gift, by the fields of the setting `transaction_id_fields`; the first that
-- fits wins. A value that several Raise gifts share finds none of them.
{%- set columns = transaction_id_columns() %}
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

raise_gifts as (
    select
        organization,
        gift_id,
        {{ fold_text('donation_id') }} as donation_id,
        {{ fold_text('transaction_id') }} as transaction_id
    from {{ ref('stg_raise__gifts') }}
),
{% for column in columns if column != 'gift_id' %}
    {{ column }}_keys as (
        select
            organization,
            {{ column }} as pair_key,
            min(gift_id) as gift_id
        from raise_gifts
        where {{ column }} is not null
        group by organization, {{ column }}
        having count(*) = 1
    ),
{% endfor %}
found as (
    {% for column in columns -%}
        {%- set preference = loop.index0 * 2 -%}
        {%- if column == 'gift_id' -%}
            select
                crm_gifts.organization,
                crm_gifts.gift_id as crm_gift_id,
                raise_gifts.gift_id as raise_gift_id,
                {{ preference }} as preference,
                'id' as found_by
            from crm_gifts
            inner join raise_gifts
                on
                    crm_gifts.organization = raise_gifts.organization
                    and crm_gifts.pair_raise_id = raise_gifts.gift_id
        {%- else -%}
            {%- for key in ['pair_key', 'pair_key_without_part'] -%}
                select
                    crm_gifts.organization,
                    crm_gifts.gift_id as crm_gift_id,
                    {{ column }}_keys.gift_id as raise_gift_id,
                    {{ preference + loop.index0 }} as preference,
                    '{{ column }}' as found_by
                from crm_gifts
                inner join {{ column }}_keys
                    on
                        crm_gifts.organization = {{ column }}_keys.organization
                        and crm_gifts.{{ key }} = {{ column }}_keys.pair_key
                {% if not loop.last -%} union all {% endif %}
            {%- endfor -%}
        {%- endif %}
        {% if not loop.last -%} union all {% endif %}
    {%- endfor %}
)

select
    organization,
    crm_gift_id,
    arg_min(raise_gift_id, preference) as raise_gift_id,
    arg_min(found_by, preference) as found_by
from found
group by organization, crm_gift_id
