-- Every record that Raise ever returned has its row in the marts for reporting, once; every allocation of a gift likewise.
{%- set records = {
    'donors': ('count(*)', 'stg_raise__donors'),
    'gifts': ('count(*)', 'stg_raise__gifts'),
    'gift_projects': ('coalesce(sum(json_array_length(projects)), 0)', 'stg_raise__gifts'),
    'recurring_gifts': ('count(*)', 'stg_raise__recurring_gifts'),
    'campaigns': ('count(*)', 'stg_raise__campaigns'),
} %}
with counts as (
    {% for mart, (rows_of_staging, staging) in records.items() %}
        select
            '{{ mart }}' as mart,
            (select count(*) from {{ ref(mart) }}) as rows_in_mart,
            (select {{ rows_of_staging }} from {{ ref(staging) }}) as rows_in_staging
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}
)

select *
from counts
where rows_in_mart != rows_in_staging
